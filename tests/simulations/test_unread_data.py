"""Data that cannot be read leave nothing behind of a command that goes on where it stopped, and spoil nothing kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
