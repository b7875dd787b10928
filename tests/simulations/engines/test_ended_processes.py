"""Processes that train sites, when the run or one of them is ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from client.worker.simulated import ROOT_VARIABLE
from shared_model.config import Config, to_toml
from shared_model.errors import RunError
from simulations.engines import run_engine
from simulations.engines.parallel import _processes
from simulations.prepare import Prepared

Workspace = Callable[..., tuple[Path, Prepared]]
LONG = 60.0  # seconds that a process has work for
SOON = 30.0  # seconds in which it has ended nevertheless, on a machine that is busy


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RunError("", where="", fix="")])
def test_whatever_ends_a_run_ends_its_processes_before_anything_else(error: BaseException) -> None:
    started = time.monotonic()
    with pytest.raises(type(error)):
        _work_until(error)
    assert multiprocessing.active_children() == []
    assert time.monotonic() - started < SOON


@pytest.mark.slow
def test_a_killed_process_is_told_of_while_another_trains(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config("training.local_steps=100000", "runtime.threads=1", "runtime.precision=fp32")
    root, prepared = workspace(config)
    folder = root.with_name("run")
    folder.mkdir()
    (folder / "config.toml").write_text(to_toml(config))
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    killed: list[float] = []

    def kill_one() -> None:
        _await(lambda: _sites_train(root.parent))
        killed.append(time.monotonic())
        multiprocessing.active_children()[0].kill()

    Thread(target=kill_one, daemon=True).start()
    with pytest.raises(RunError, match="a process that trained sites was ended from outside"):
        run_engine(config, folder, len(prepared.sites), lambda record: None, 2)
    assert time.monotonic() - killed[0] < SOON
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True], ids=["early", "while sites train"])
def test_ctrl_c_ends_parent_and_sites_with_one_line_and_leaves_nothing(
    training: bool, synthetic: Path, small: list[str], tmp_path: Path
) -> None:
    sets = [*small, "--set", "evaluation.comparison=false", "--set", "training.local_steps=100000"]
    log = tmp_path / "log"
    arguments = [
        "run",
        "--data",
        synthetic,
        "--out",
        tmp_path / "out",
        "--preset",
        "tiny",
        "--jobs",
        2,
        *sets,
    ]
    with log.open("w") as stream:
        run = subprocess.Popen(
            [sys.executable, "-c", "from simulations.cli import main; main()", *map(str, arguments)],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        _await(lambda: "patients to train" in log.read_text())
        time.sleep(20.0 if training else 0.0)
        assert run.poll() is None, log.read_text()
        before = log.read_text()
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(SOON) != 0
        said = log.read_text().removeprefix(before)
        until = time.monotonic() + SOON
        while (left := _alive(run.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        assert left == []
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    assert "nothing was written" in said
    assert "Traceback" not in said
    assert "could not" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def _work_until(error: BaseException) -> None:
    with _processes(2, None) as processes:
        for process in processes:
            process.submit(time.sleep, LONG)
        raise error


def _sites_train(folder: Path) -> bool:
    """Whether the first round has begun below the folder: nothing is asked between the statistics and it."""
    return any(folder.rglob("standardisation.json"))


def _await(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened() and time.monotonic() < until:
        time.sleep(0.1)
    assert happened()
    time.sleep(3.0)


def _alive(group: int) -> list[str]:
    """The processes of a group, without those that have ended and that nobody has asked about."""
    shown = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in shown.stdout.splitlines()]
    return [row[-1] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]
