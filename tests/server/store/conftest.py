"""A record of runs and three sites that follow a script: what its tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.store.runs import RunStore
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors, trunk_fingerprint
from shared_model.losses import Objective
from shared_model.model import build_model

COUNTS = {"1": 10, "2": 30, "3": 2}
NAMES = {"1": "north", "2": "south", "3": "west"}
Sites = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "store")


@pytest.fixture
def config(small_config: Callable[..., Config]) -> Config:
    return small_config("training.early_stopping=0", "federation.rounds=2", "federation.quorum=2")


@pytest.fixture
def sites(
    scripted: Any,
    joining: Any,
    honest_update: Callable[..., Payload],
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> Sites:
    """Three sites that join the small model and move every number a little; `train` changes what some answer."""
    from server import federation

    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    tensors = {name: list(array.shape) for name, array in shared_tensors(objective).items()}
    trunk = trunk_fingerprint(objective)

    class Pooled:
        """Statistics, of which nothing is asked here."""

        def standardisation(self) -> Any:
            return self

        def reading(self, inputs: Any) -> Any:
            return self

        def to_dict(self) -> dict[str, Any]:
            return {"s": 1}

    monkeypatch.setattr(federation, "gather_statistics", lambda *a, **k: Pooled())

    def make(train: dict[str, Any] | None = None) -> Any:
        def honest(address: str) -> Callable[[Payload], Payload]:
            def answer(request: Payload) -> Payload:
                moved = {n: a + np.float32(0.001 * int(address)) for n, a in request.arrays.items()}
                return honest_update(request.fields["round"], COUNTS[address], moved, data="ab" * 32)

            return answer

        found = scripted({a: honest(a) for a in NAMES} | (train or {}))
        found.joins = {a: joining(NAMES[a], COUNTS[a], trunk=trunk, tensors=tensors) for a in NAMES}
        return found

    return make


def created(store: RunStore, config: Config, run: str = "r1", *, is_canary: bool = False) -> str:
    store.create(run, config, federation="here", canary=is_canary, plan=None)
    return run
