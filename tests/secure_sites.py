"""Sites of a secure round in one process: real keys, certificates, masks and shares, an update in place of training.

`lost` says from which step on a site no longer answers; `alter` changes what a lying coordinator sends a site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from client.privacy.secure_aggregation.simulated import SimulatedRounds
from server.handshake import Roster
from server.history import RoundRecord
from server.rounds import RoundLoop
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import FedFundusError
from shared_model.exchange import FixedPointSum, Payload
from shared_model.exchange.parameters import Arrays
from shared_model.model.parts import PARTS
from shared_model.records import GRADES, TASKS
from shared_model.secure_aggregation.field import scales
from shared_model.secure_aggregation.report import nothing_validated

SECURE = (
    "secure_aggregation.enabled=true",
    "federation.rounds=1",
    "training.learning_rate=1e-4",
    "training.warmup_rounds=0",
)
STEPS = ("keys", "shares", "train", "survivors", "unmask")
SHAPES = {"a": (40, 5), "b": (7,), "weighting.c": (1,)}
Alter = Callable[[str, str, Payload], Payload]


def model(seed: int = 0, shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> Arrays:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def moved(base: Arrays, seed: int, size: float = 4e-5) -> Arrays:
    """What a site would have trained: every number moved a little."""
    random = np.random.default_rng(1000 + seed)
    return {
        name: (array + random.standard_normal(array.shape) * size).astype(np.float32)
        for name, array in base.items()
    }


def report(seed: int, weight: int) -> dict[str, Any]:
    """What a site says beside its tensors."""
    random = np.random.default_rng(2000 + seed)
    confusion = {task: random.integers(0, 9, (GRADES, GRADES)).tolist() for task in TASKS}
    return {
        "examples": weight,
        "loss": 1.0 + seed,
        "losses": {"grading": 0.5 * seed} if seed % 2 else {"grading": 1.0, "image_text": 2.0},
        "loss_weights": {"grading": 1.0},
        "seconds": 1.0,
        "validation": {"examples": 3 + seed, "loss_sum": 0.25 + seed, "confusion": confusion},
    }


class SecureSites:
    """server.sites.Sites. learnt: site -> what it trains of a base. untrained: site -> tensors it leaves alone."""

    def __init__(self, root: Path, config: Config, weights: Mapping[str, int]) -> None:
        self.config, self.weights = config, dict(weights)
        self.rounds = {site: SimulatedRounds(root, site, config) for site in weights}
        self.learnt: Callable[[str, Arrays], Arrays] = lambda site, base: moved(base, self.number(site))
        self.untrained: dict[str, list[str]] = {}
        self.tells: dict[str, tuple[str, ...]] = {}  # site -> tasks it has figures of, by default all
        self.trains: dict[str, tuple[str, ...]] = {}  # site -> parts of the model it trains, by default all
        self.lost: dict[str, str] = {}
        self.alter: Alter = lambda step, site, request: request
        self.answers: list[tuple[str, str, Payload]] = []  # step, site, what it answered
        self.refused: list[tuple[str, str, str]] = []  # step, site, in what words

    def number(self, site: str) -> int:
        return sorted(self.weights).index(site)

    def addresses(self) -> list[str]:
        return sorted(self.weights)

    def ask(
        self, question: str, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for site, payload in payloads.items():
            step = str(payload.fields["step"]) if question == "secure_aggregation" else question
            lost = self.lost.get(site)
            if lost is not None and step in STEPS and STEPS.index(step) >= STEPS.index(lost):
                yield site, SiteFailure("has gone")
                continue
            try:
                answer = self.answer(step, site, self.alter(step, site, payload))
            except FedFundusError as error:
                self.refused.append((step, site, error.what))
                yield site, SiteFailure(error.what)
                continue
            self.answers.append((step, site, answer))
            yield site, answer

    def answer(self, step: str, site: str, request: Payload) -> Payload:
        if step not in ("train", "evaluate"):
            tells, trains = self.tells.get(site, TASKS), self.trains.get(site, PARTS)
            return self.rounds[site].answer(request, self.weights[site], tells, trains)
        return self.rounds[site].rounds.masked(
            step, request, lambda: self.plain(step, site, request), lambda: dict(request.arrays)
        )

    def plain(self, step: str, site: str, request: Payload) -> Payload:
        """What would leave without secure aggregation."""
        base = dict(request.arrays)
        fields = {
            "site": site,
            "round": request.fields["round"],
            **report(self.number(site), self.weights[site]),
        }
        confusion = fields["validation"]["confusion"]
        for task in set(TASKS) - set(self.tells.get(site, TASKS)):
            confusion[task] = nothing_validated()["confusion"][task]
        if not self.tells.get(site, TASKS):
            fields["validation"] = nothing_validated()
        if step == "evaluate":
            return Payload(fields=fields)
        idle = self.untrained.get(site, [])
        learnt = self.learnt(site, base)
        return Payload({n: base[n] if n in idle else learnt[n] for n in base}, fields | {"untrained": idle})

    def roster(self) -> Roster:
        return Roster({site: site for site in self.weights}, dict(self.weights))

    def loop(self, folder: Path, records: list[RoundRecord] | None = None) -> RoundLoop:
        heard = records if records is not None else []
        store = RunFolder(folder)
        return RoundLoop(self, self.roster(), self.config, {}, store, on_round=heard.append)

    def plain_mean(self, base: Arrays, sites: list[str]) -> Arrays:
        """The model that the same updates in the clear would make."""
        total = FixedPointSum(base)
        for site in sites:
            total.add(self.learnt(site, base), self.weights[site], self.untrained.get(site, []))
        return total.mean()


def tolerance(found: SecureSites, base: Arrays, used: int) -> dict[str, float]:
    """Half a unit a site, in the mean, and what fp32 takes."""
    weight = sum(found.weights.values())
    scale = scales(found.config, base, found.config.training.learning_rate, weight, len(found.weights))
    left = sorted(found.weights.values())[:used]
    return {name: used / 2 * 2.0 ** (one.shift - 36) / sum(left) + 2.0**-22 for name, one in scale.items()}


def assert_mean(found: Arrays, expected: Arrays, within: dict[str, float]) -> None:
    for name, array in expected.items():
        assert np.abs(found[name].astype(np.float64) - array).max() <= within[name], name
