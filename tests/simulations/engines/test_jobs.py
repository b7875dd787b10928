from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.cache.listener import heard_by
from client.worker.simulated import ROOT_VARIABLE
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config, to_toml
from simulations.engines import run_engine
from simulations.prepare import Prepared
from simulations.training import Training
from tests.client.cache.conftest import FROZEN, Heard
from tests.simulations.conftest import Outcome

Workspace = Callable[..., tuple[Path, Prepared]]


def test_the_number_of_processes_does_not_change_the_weights_or_the_history(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config("exchange.uplink=int8", "runtime.threads=1", "runtime.precision=fp32")
    folders = []
    for jobs in (1, 2):
        root, prepared = workspace(config, f"{jobs}-work")
        folder = RunFolder(root.with_name(str(jobs)))
        (folder.path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        heard: list[RoundRecord] = []
        run_engine(config, folder.path, len(prepared.sites), heard.append, jobs)
        assert [record.number for record in heard] == [0, 1, 2]
        folders.append(folder)
    alone, beside = folders
    for name in ("last", "best"):
        one, other = alone.load_weights(name), beside.load_weights(name)
        assert all(np.array_equal(one[tensor], other[tensor]) for tensor in one)
    assert [row["validation"] for row in alone.history()] == [row["validation"] for row in beside.history()]


@pytest.mark.parametrize(
    ("jobs", "baselines", "sites"), [(0, 0, 1), (0, 5, 1), (4, 0, 4), (8, 5, 3), (2, 1, 1)]
)
def test_sites_share_what_the_baselines_leave_and_only_if_asked(
    jobs: int, baselines: int, sites: int, small_config: Callable[..., Config], prepared: Prepared
) -> None:
    training = Training(small_config(f"runtime.jobs={jobs}"), prepared, Path(), Path(), None)  # type: ignore[arg-type]
    assert training._beside(baselines) == sites


def test_a_cache_that_another_process_builds_is_told_of(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(*FROZEN, "cache.image_draws=2", "federation.rounds=1")
    root, prepared = workspace(config)
    folder = RunFolder(root.with_name("run"))
    (folder.path / "config.toml").write_text(to_toml(config))
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    heard = Heard()
    with heard_by(heard):
        run_engine(config, folder.path, len(prepared.sites), lambda record: None, 2)
    assert [said.split()[-1] for said in heard.said] == ["notes", "draws"]
    assert all(said.startswith("trunk cache: ") for said in heard.said)
    assert any(done == total and unit == "views" for done, total, unit in heard.steps)


def test_more_processes_than_the_machine_has_a_use_for_are_refused_with_what_each_costs(
    command: Callable[..., Outcome], data_folder: Path, tmp_path: Path
) -> None:
    shown = command(
        "run", "--data", data_folder, "--out", tmp_path / "out", "--preset", "tiny", "--jobs", 1000
    )
    assert shown.code == 2
    assert "1,000 processes are too many" in shown.err
    assert "0.9 GB" in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []
