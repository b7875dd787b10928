"""The worker: a site's data behind four calls (join, statistics, train, evaluate).

It answers with updates, counts, means and confusion matrices and nothing per patient. In simulation it is called
directly; at a deployed site the same object stands behind the Unix socket.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.cache.trunk_cache import FOLDER, Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.evaluation import Finished, answering
from client.inference.predict import predict
from client.statistics.answers import Answers
from client.statistics.policy import Policy, require_enough_patients
from client.statistics.site_answer import site_answer
from client.training.loop import TrainingResult, train
from client.training.untrained import trained_parts
from client.training.validation import Validation, told_of, validate
from client.vault import Vault
from client.worker.exchange import SiteExchange, full_set_needed
from client.worker.last_rounds import Asked, LastRounds
from client.worker.resident import resident_model, shared_shapes, training_machine
from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.exchange import (
    Payload,
    fingerprint,
    shared_tensors,
    trunk_fingerprint,
    write_tensors,
)
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.metrics.predictions import Predictions
from shared_model.statistics import Standardisation
from shared_model.version import PACKAGE_VERSION

if TYPE_CHECKING:  # Opacus takes seconds to load, which only private runs need to wait for
    from client.privacy.dp.rounds import PrivateRounds


class Worker:
    """One site. table: canonical records with their splits; images: their photographs; folder: its own disk.

    policy: what it answers and how small a count may be, by default the run's minimum and everything. answers:
    what it has told before, without which (in simulation) every question is answered anew. vault: seals what
    stays in `folder`. cache: of features of the model's frozen parts, by default in `folder` too. private: how it
    trains where the run asks for differential privacy; without it such a run is refused. resumable: whether a round may
    be asked again, even after a crash; a simulation begins anew. draws: seeds order and augmentation, 0 for the run's.
    """

    def __init__(
        self,
        site: str,
        table: pd.DataFrame,
        images: ImageStore,
        config: Config,
        folder: Path,
        *,
        policy: Policy | None = None,
        answers: Answers | None = None,
        vault: Vault | None = None,
        private: PrivateRounds | None = None,
        cache: TrunkCache | None = None,
        resumable: bool = True,
        draws: int = 0,
    ) -> None:
        self.site = site
        self._draws = draws or config.seed
        self.config = config
        self._policy = policy or Policy(minimum_cell=config.data.minimum_cell)
        if self._policy.epsilon and answers is None:
            raise ConfigError(
                "statistics with noise need the answers kept and the ledger that they are charged to",
                where="policy.statistics_epsilon",
                fix="open the site's answers, or set it to 0",
            )
        if config.privacy.enabled and private is None:
            raise ConfigError(
                "this site has no privacy budget set up to train from",
                where="privacy.enabled",
                fix="a site charges private runs to its ledger, a simulation plans them; or set it to false",
            )
        self._private = private if config.privacy.enabled else None
        self._answers = answers
        self._table = table
        self._images = images
        self._rounds = LastRounds(folder, vault, resumable=resumable)
        self._exchange = SiteExchange(site, config, folder, vault, durable=resumable)
        self._cache = cache or TrunkCache(folder / FOLDER, vault)
        self._dataset: SiteDataset | None = None
        self._shared: dict[str, tuple[int, ...]] | None = None
        self._standardisation: dict[str, Any] = {}

    def join(self) -> Payload:
        """What the coordinator compares before it lets the site in.

        Raises DataError where fewer patients could be trained on than a count may rest on.
        """
        training = self._table[self._table["split"] == "train"]
        require_enough_patients(training["patient_id"].nunique(), self._policy)
        objective = resident_model(self.config).objective
        return Payload(
            fields={
                "site": self.site,
                "version": PACKAGE_VERSION,
                "trunk": trunk_fingerprint(objective),
                "tensors": {name: list(shape) for name, shape in shared_shapes(objective).items()},
                "examples": len(training),
            }
        )

    def statistics(self) -> Payload:
        """Round 0: sums and counts over training patients. `answers` keeps what was told, in a deployed site."""
        if self._answers is None:
            answer = site_answer(self._table, self._images, self._policy)
        else:
            answer = self._answers.ask(self._table, self._images, self._policy)
        return Payload(fields={"site": self.site, "statistics": answer})

    def train(self, request: Payload) -> Payload:
        """Evaluate the incoming model, then train it for one round. May ask for the whole set in place of a change.

        Asked the same again, it returns the same bytes; asked to train another base in the same round, it goes back
        to the state in which that round began.
        """
        started = time.perf_counter()
        objective = resident_model(self.config).objective
        base = self._exchange.receive(request, self._shapes(objective))
        if base is None:
            return full_set_needed(request, self.site)
        asked = Asked.of(request, base, self.site, self.config)
        if (given := self._rounds.answer(asked)) is not None:
            return given
        dataset = self._load(objective, base, request)
        validation = self._validate(objective, dataset)
        rows = dataset.rows_of("train")
        result = self._learn(objective, dataset, rows, request)
        fields: dict[str, Any] = {
            "site": self.site,
            "round": int(request.fields["round"]),
            "examples": len(rows),
            "loss": result.loss,
            "losses": result.losses,
            "loss_weights": result.weights,
            "validation": validation.to_fields(),
            # How long a private round takes follows from how many patients it drew.
            "seconds": 0.0 if self._private else time.perf_counter() - started,
        }
        if result.steps is not None:
            fields["steps"] = result.steps
        shared = shared_tensors(objective)
        if idle := sorted(result.untrained & shared.keys()):
            fields["untrained"] = idle
        answer = self._exchange.update(request, fields, base, shared)
        self._rounds.keep(asked, answer, objective, result.moments)
        return answer

    def evaluate(self, request: Payload) -> Payload:
        """How good the incoming model is on this site's validation records. May ask for the whole set, as `train`."""
        objective = resident_model(self.config).objective
        base = self._exchange.receive(request, self._shapes(objective))
        if base is None:
            return full_set_needed(request, self.site)
        validation = self._validate(objective, self._load(objective, base, request))
        fields = {
            "site": self.site,
            "round": int(request.fields["round"]),
            "validation": validation.to_fields(),
        }
        return self._exchange.answer(request, fields)

    def base(self, request: Payload) -> Arrays | None:
        """The tensors that a request brings; None where this site cannot make them of what it was sent."""
        return self._exchange.receive(request, self._shapes(resident_model(self.config).objective))

    @property
    def examples(self) -> int:
        """Training records, as `join` tells them."""
        return int((self._table["split"] == "train").sum())

    @property
    def tells(self) -> tuple[str, ...]:
        """Tasks of whose validation figures enough patients are there."""
        return told_of(self._table, self._policy.minimum_cell, self.config.model.inputs)

    @property
    def trains(self) -> tuple[str, ...]:
        """Parts of the model that it trains, as far as it tells."""
        return trained_parts(self._table, private=self._private is not None)

    def predictions(self, request: Payload, split: str) -> tuple[Predictions, str] | Payload:
        """What a finished model says of one split of this site's records, and the fingerprint of its tensors.

        request: as for `evaluate`. The predictions stay at the site; what is told of them is made of sums
        (client.evaluation). May ask for the whole set, as `train`.
        """
        objective = resident_model(self.config).objective
        base = self._exchange.receive(request, self._shapes(objective))
        if base is None:
            return full_set_needed(request, self.site)
        dataset = self._load(objective, base, request)
        found = predict(
            objective.model,
            dataset,
            dataset.rows_of(split),
            {},
            mask_notes=self.config.losses.mask_notes,
            batch_size=self.config.evaluation.batch_size,
        )
        return found, fingerprint(base)

    def temperature(self, request: Payload) -> Payload:
        """As SiteWorker.temperature, as this and the next two are, but answered anew each time."""
        return self._of_finished("temperature", request)

    def scores(self, request: Payload) -> Payload:
        """As SiteWorker.scores."""
        return self._of_finished("scores", request)

    def site_figures(self, request: Payload) -> Payload:
        """As SiteWorker.site_figures."""
        return self._of_finished("site_figures", request)

    def _of_finished(self, question: Finished, request: Payload) -> Payload:
        how = answering(question, request.fields)
        found = self.predictions(request, how.split)
        if isinstance(found, Payload):
            return found
        return Payload(fields={"site": self.site, question: how.tell(found[0], self._policy)})

    def _load(self, objective: Objective, base: Arrays, request: Payload) -> SiteDataset:
        write_tensors(objective, base)
        if self._dataset is None or request.fields["standardisation"] != self._standardisation:
            self._standardisation = request.fields["standardisation"]
            standardisation = Standardisation.from_dict(self._standardisation)
            tokenizer = resident_model(self.config).tokenizer
            reading = Reading(objective.model, tokenizer, standardisation, self.config)
            self._dataset = self._cache.dataset(self._table, self._images, reading)
        objective.balance(self._standardisation["class_counts"])
        return self._dataset

    def _learn(
        self, objective: Objective, dataset: SiteDataset, rows: NDArray[np.int64], request: Payload
    ) -> TrainingResult:
        training = self.config.training
        number = int(request.fields["round"])
        learning_rate = float(request.fields["learning_rate"])
        moments = self._rounds.start(number, objective, resident_model(self.config).initial_local)
        if self._private is not None:
            return self._private.train(
                objective,
                dataset,
                rows,
                resident_model(self.config).tokenizer,
                Standardisation.from_dict(self._standardisation),
                number=number,
                learning_rate=learning_rate,
                moments=moments,
            )
        if self.config.federation.strategy != "fedprox":
            training = training.model_copy(update={"proximal": 0.0})
        return train(
            objective,
            dataset,
            rows,
            training,
            site=self.site,
            seed=self._draws,
            first_step=(number - 1) * training.local_steps,
            learning_rate=learning_rate,
            moments=moments,
            machine=training_machine(self.config),
        )

    def _shapes(self, objective: Objective) -> dict[str, tuple[int, ...]]:
        """Of what travels; the same as long as the run lasts."""
        self._shared = self._shared or shared_shapes(objective)
        return self._shared

    def _validate(self, objective: Objective, dataset: SiteDataset) -> Validation:
        """Nothing of a task for which fewer patients have a label than the site's policy lets a figure rest on."""
        return validate(
            objective,
            dataset,
            dataset.rows_of("validation"),
            self.config.evaluation.batch_size,
            training_machine(self.config),
            minimum=self._policy.minimum_cell,
        )
