"""A federation without a network and without a model: sites that answer with whatever a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from server.sites import SiteFailure
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from shared_model.version import PACKAGE_VERSION

Answer = Payload | SiteFailure
ZERO = [[0] * 5 for _ in range(5)]


def matrix(correct: int) -> list[list[int]]:
    return [[correct if i == j else 0 for j in range(5)] for i in range(5)]


def update(number: int, examples: int, arrays: Arrays, **fields: Any) -> Payload:
    """An honest site's answer to `train`."""
    honest = {
        "round": number,
        "examples": examples,
        "loss": 1.0,
        "losses": {"grading": 1.0},
        "loss_weights": {"grading": 1.0},
        "seconds": 0.1,
        "validation": {"examples": 4, "loss_sum": 4.0, "confusion": {"icdr": matrix(1), "sdrg": ZERO}},
    }
    return Payload(arrays, {**honest, **fields})


class ScriptedSites:
    """server.sites.Sites: `train` and `evaluate` map (address, payload) to an answer; join is honest by default."""

    def __init__(
        self,
        train: Mapping[str, Callable[[Payload], Answer]],
        evaluate: Callable[[str, Payload], Answer] | None = None,
        order: Callable[[list[str]], list[str]] = lambda addresses: addresses,
    ) -> None:
        self.train = train
        self.evaluate = evaluate or (lambda address, payload: Payload(fields=update(0, 1, {}).fields))
        self.order = order
        self.asked: list[tuple[str, str, Payload]] = []
        self.joins: dict[str, Answer] = {}
        self.statistics: dict[str, Answer] = {}

    def addresses(self) -> list[str]:
        return list(self.train)

    def ask(self, question: str, payloads: Mapping[str, Payload]) -> Iterator[tuple[str, Answer]]:
        for address in self.order(list(payloads)):
            payload = payloads[address]
            self.asked.append((question, address, payload))
            if question == "train":
                yield address, self.train[address](payload)
            elif question == "evaluate":
                yield address, self.evaluate(address, payload)
            elif question == "join":
                yield address, self.joins[address]
            elif question == "statistics":
                yield address, self.statistics[address]
            else:
                yield address, SiteFailure("the site's policy does not allow it")


@pytest.fixture
def scripted() -> type[ScriptedSites]:
    return ScriptedSites


@pytest.fixture
def honest_update() -> Callable[..., Payload]:
    return update


@pytest.fixture
def base() -> Arrays:
    random = np.random.default_rng(0)
    return {
        "model.a": random.normal(size=(3, 4)).astype(np.float32),
        "model.b": random.normal(size=5).astype(np.float32),
    }


@pytest.fixture
def joining(base: Arrays) -> Callable[..., Payload]:
    """An honest site's answer to `join`."""

    def make(site: str, examples: int = 10, **fields: Any) -> Payload:
        honest = {
            "site": site,
            "version": PACKAGE_VERSION,
            "trunk": "t" * 64,
            "tensors": {name: list(array.shape) for name, array in base.items()},
            "examples": examples,
        }
        return Payload(fields={**honest, **fields})

    return make
