"""A simulated federation under secure aggregation: real workers, real messages, real masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import client.worker.worker as worker_module
from client.worker.simulated import ROOT_VARIABLE
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.exchange.parameters import Arrays
from simulations.engines import run_engine
from simulations.prepare import Prepared

Run = Callable[..., RunFolder]
COMMON = ("federation.sites=3", "training.learning_rate=1e-3")
SECURE = "secure_aggregation.enabled=true"


@pytest.fixture
def run(workspace: Callable[..., tuple[Path, Prepared]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A whole federated run in a fresh workspace; its folder."""

    def go(config: Config, name: str, jobs: int = 1) -> RunFolder:
        root, prepared = workspace(config, f"{name}-work")
        folder = RunFolder(root.with_name(name))
        (folder.path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        run_engine(config, folder.path, len(prepared.sites), lambda record: None, jobs)
        return folder

    return go


def largest_difference(a: Arrays, b: Arrays) -> float:
    assert set(a) == set(b)
    return max(float(np.abs(a[name].astype(np.float64) - b[name]).max()) for name in a)


def test_a_secure_run_ends_within_rounding_of_the_same_run_without(
    run: Run, small_config: Callable[..., Config]
) -> None:
    plain = run(small_config(*COMMON), "plain")
    secure = run(small_config(*COMMON, SECURE), "secure")
    moved = largest_difference(plain.load_weights("last"), plain.load_weights("best"))
    found = largest_difference(plain.load_weights("last"), secure.load_weights("last"))
    print("FOUND", found, moved)
    for a, b in zip(plain.history(), secure.history(), strict=True):
        print(a["validation"], b["validation"], b.get("together"), b["sites"], a["bytes_up"], b["bytes_up"])
