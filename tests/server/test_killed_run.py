"""kill -9 of the coordinator's process in the middle of a round, over workers that really train."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from client.worker import simulated
from client.worker.simulated import ROOT_VARIABLE, forget_workers
from server.exporting import export_model
from server.store.runs import RunStore
from shared_model.artefact import load_artefact
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from shared_model.version import PIPELINE_VERSION
from simulations.engines.inline import run_inline
from tests.server.killed_run import lasting

CHILD = Path(__file__).with_name("killed_run.py")
MakeWorkspace = Callable[..., tuple[Path, object]]


@pytest.fixture
def carry_out(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunStore, str, Path], Arrays]:
    def go(store: RunStore, run: str, workspace: Path) -> Arrays:
        monkeypatch.setenv(ROOT_VARIABLE, str(workspace))
        monkeypatch.setattr(simulated, "Worker", lasting)
        forget_workers()
        run_inline(store.folder / "runs" / run, 2, lambda record: None)
        return store.open(run).load_weights("last")

    return go


def killed(store: RunStore, run: str, workspace: Path, where: str) -> None:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(store.folder / "runs" / run), str(workspace), where, "2"],
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[2]), "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=500,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "where",
    [
        "train",
        *(pytest.param(w, marks=pytest.mark.slow) for w in ("receive", "send", "aggregate", "checkpoint")),
    ],
)
def test_a_coordinator_that_is_killed_loses_the_unfinished_round_alone(
    where: str,
    workspace: MakeWorkspace,
    small_config: Callable[..., Config],
    carry_out: Callable[[RunStore, str, Path], Arrays],
    tmp_path: Path,
) -> None:
    config = small_config("federation.rounds=3", "federation.strategy=fedadam", "exchange.uplink=int8")
    root, _ = workspace(config)
    shutil.copytree(root, tmp_path / "untouched")  # sites whose disks nobody has trained on
    store = RunStore(tmp_path / "store")
    for run in ("whole", "killed"):
        store.create(run, config, federation="here", canary=False, plan=None)
    expected = carry_out(store, "whole", tmp_path / "untouched")
    killed(store, "killed", root, where)
    row = store.row("killed")
    assert (row.state, row.complete) == ("interrupted", 1)
    found = carry_out(store, "killed", root)
    assert store.row("killed").state == "finished"
    assert all(found[name].tobytes() == array.tobytes() for name, array in expected.items())
    exported = tmp_path / "model"
    export_model(store, "killed", exported, weights="last", kit=None)
    assert load_artefact(exported, PIPELINE_VERSION).config == config
