"""Data that cannot be read leave nothing behind of a command that goes on where it stopped, and spoil nothing kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model.errors import RunError
from simulations.output import nothing_half_read
from tests.simulations.conftest import Outcome
from tests.simulations.test_run_mistakes import refused

Command = Callable[..., Outcome]


@pytest.mark.parametrize(
    "name", ["audit", "privacy-curve", "tables", "transfer", "weighting", "exchange-study"]
)
def test_a_folder_that_is_not_there_leaves_no_folder_of_results(
    name: str, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "results" / name
    shown = command(name, "--data", tmp_path / "absent", "--out", out)
    refused(shown, "does not exist", "absent")
    assert shown.code == 2
    assert not out.exists()


def test_a_table_that_is_none_leaves_nothing_and_what_was_kept_before_stays(
    command: Command, synthetic: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(synthetic, data)
    (data / "labels_brset.csv").write_text("nothing\n1\n")
    refused(command("audit", "--data", data, "--out", out))
    assert not out.exists()
    kept = out / "work" / "public-start" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"kept")
    refused(command("audit", "--data", data, "--out", out))
    assert [path for path in out.rglob("*") if path.is_file()] == [kept]
    assert not (out / "work" / "photographs").exists()


def test_the_users_own_folders_stay_when_the_data_cannot_be_read(command: Command, tmp_path: Path) -> None:
    absent, own = tmp_path / "absent", tmp_path / "own"
    own.mkdir()
    for out in (own, own / "results" / "here"):
        refused(command("audit", "--data", absent, "--out", out), "does not exist")
        assert own.is_dir()
        assert list(own.iterdir()) == []
    (own / "work").mkdir()  # of an earlier call, which was interrupted
    refused(command("audit", "--data", absent, "--out", own), "does not exist")
    assert [path.name for path in own.rglob("*")] == ["work"]


def test_what_is_read_into_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    work = tmp_path / "out" / "work"
    with nothing_half_read(work, work / "photographs"):
        pass
    assert [path.stat().st_mode & 0o777 for path in (work, work / "photographs")] == [0o700, 0o700]
    with pytest.raises(RunError, match="no more"):
        _fails_half_way(work, work / "photographs", work / "seed-0")
    assert [path.name for path in work.iterdir()] == ["photographs"]


def _fails_half_way(work: Path, *folders: Path) -> None:
    with nothing_half_read(work, *folders):
        (folders[-1] / "half").write_text("read")
        raise RunError("no more")
