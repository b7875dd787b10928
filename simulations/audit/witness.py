"""A federation under observation: the real workers and round loop, and all that a coordinator gets to see.

The sites are called directly, as a baseline's one site is; what passes between them and the coordinator is what
would pass over the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from client.cache.trunk_cache import FOLDER, TrunkCache
from client.data.images import ImageStore
from client.worker import Worker
from server.federation import run_federation
from server.sites import Question, SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors

if TYPE_CHECKING:
    from client.privacy.dp.rounds import PrivateRounds
    from client.privacy.secure_aggregation.simulated import SimulatedRounds


@dataclass(frozen=True)
class Round:
    """What the coordinator knows after round `number`: the model it sent, and what came back.

    updates: site -> its shared tensors after training; none under secure aggregation. together: the model that all of
    them made, which is the next one sent.
    """

    number: int
    base: Arrays
    updates: dict[str, Arrays]
    together: Arrays
    standardisation: dict[str, Any]

    def seen(self, site: str) -> Arrays:
        """A site's model, or all that is seen of it: the one that all sites made together."""
        return self.updates.get(site, self.together)


@dataclass
class Witness:
    """server.sites.Sites over workers in this process. on_round: hears each round once the next one is sent.

    statistics: who answers round 0 for a site, where that is not its own worker. secure: what masks a site's answers,
    where the run has secure aggregation.
    """

    workers: Mapping[str, Worker]
    on_round: Callable[[Round], None]
    statistics: Mapping[str, Worker]
    secure: Mapping[str, SimulatedRounds]
    _sent: Payload | None = None
    _updates: dict[str, Arrays] = field(default_factory=dict)

    def addresses(self) -> list[str]:
        """Every site."""
        return list(self.workers)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        """Call the workers one by one; their errors are the run's own and are raised."""
        for address, payload in payloads.items():
            yield address, self._answer(question, address, payload)

    def finish(self, last: Arrays) -> None:
        """Tell of the last round; last: the model that it made."""
        sent = self._sent
        assert sent is not None
        fields = sent.fields
        base = {name: np.asarray(array) for name, array in sent.arrays.items()}
        number, standardisation = int(fields["round"]), fields["standardisation"]
        self.on_round(Round(number, base, self._updates, last, standardisation))

    def _answer(self, question: Question, address: str, payload: Payload) -> Payload:
        worker, secure = self.workers[address], self.secure.get(address)
        if question == "join":
            return worker.join()
        if question == "statistics":
            return self.statistics.get(address, worker).statistics()
        if question == "secure_aggregation":
            assert secure is not None
            return secure.answer(payload, worker.examples, worker.tells, worker.trains)
        ask = worker.train if question == "train" else worker.evaluate
        if question == "train":
            self._train(payload)
        if secure is not None:
            return secure.rounds.masked(question, payload, lambda: ask(payload), lambda: worker.base(payload))
        answer = ask(payload)
        if question == "train":
            self._updates[address] = {name: np.asarray(array) for name, array in answer.arrays.items()}
        return answer

    def _train(self, payload: Payload) -> None:
        """A model is sent; where it is of a new round, it tells what the one before came to."""
        if self._sent is not None and payload.fields["round"] != self._sent.fields["round"]:
            self.finish({name: np.asarray(array) for name, array in payload.arrays.items()})
            self._updates = {}
        self._sent = payload


def watch(
    config: Config,
    tables: Mapping[str, pd.DataFrame],
    images: ImageStore,
    folder: Path,
    on_round: Callable[[Round], None],
    *,
    told: Mapping[str, pd.DataFrame] | None = None,
    registered: Mapping[str, int] | None = None,
    planned: Config | None = None,
    noise: float = 1.0,
    on_moments: Callable[[Arrays], None] | None = None,
) -> None:
    """Train a federation of these sites (site -> its records) in `folder`, under observation.

    told: the records that round 0 is answered from, where those are not the site's. registered: the number of training
    patients of private training, where it is not to be counted. planned: the run that its noise is planned for, where
    this is only the beginning of it. noise: of what is planned; 0 in a control. on_moments: hears what the optimiser
    of private training holds after each round of a site.
    """
    with naming_disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache = TrunkCache(folder / FOLDER)
    count = registered or {}
    private = {
        site: _private(site, table, config, count.get(site), planned or config, noise, on_moments)
        for site, table in tables.items()
        if config.privacy.enabled
    }
    workers = {
        site: Worker(
            site,
            table,
            images,
            config,
            folder / "sites" / site,
            private=private.get(site),
            cache=cache,
            resumable=False,
        )
        for site, table in tables.items()
    }
    others = {
        site: Worker(site, table, images, _not_private(config), folder / "told" / site, resumable=False)
        for site, table in (told or {}).items()
    }
    secure = {site: _secure(folder, site, config) for site in workers if config.secure_aggregation.enabled}
    run, witness = RunFolder(folder), Witness(workers, on_round, others, secure)
    run_federation(witness, config, run, "audited")
    witness.finish(run.load_weights("last"))
    cache.close()


def _private(
    site: str,
    table: pd.DataFrame,
    config: Config,
    patients: int | None,
    planned: Config,
    noise: float,
    on_moments: Callable[[Arrays], None] | None,
) -> PrivateRounds:
    """Private training of one simulated site. patients: registered, if not counted; the rest as in `watch`."""
    from client.privacy.dp.account import PlanAccount
    from client.privacy.dp.plan import make_plan
    from client.privacy.dp.randomness import randomness_of
    from simulations.audit.overheard import OverheardRounds

    own = table.loc[table["split"] == "train", "patient_id"].nunique()
    plan = make_plan(planned, int(own) if patients is None else patients)
    plan = replace(plan, noise_multiplier=noise * plan.noise_multiplier)
    rounds = OverheardRounds(config, plan, randomness_of(config, site, simulation=True), PlanAccount())
    rounds.on_moments = on_moments or (lambda moments: None)
    return rounds


def _secure(folder: Path, site: str, config: Config) -> SimulatedRounds:
    from client.privacy.secure_aggregation.simulated import SimulatedRounds

    return SimulatedRounds(folder, site, config)


def _not_private(config: Config) -> Config:
    """Round 0 is the same with and without private training."""
    return config.model_copy(update={"privacy": config.privacy.model_copy(update={"enabled": False})})
