"""A user's mistakes: one message that says what, where and what to do; a non-zero exit code; nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.simulations.conftest import SMALL, Outcome

Command = Callable[..., Outcome]
TABLE = "labels_brset.csv"


@pytest.fixture
def copy(synthetic: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(synthetic, folder)
    return folder


def refused(shown: Outcome, *words: str) -> None:
    assert shown.code != 0
    assert shown.out == ""
    assert "Traceback" not in shown.err
    for word in words:
        assert word in shown.err, shown.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "huge"], ["huge", "paper", "tiny"]),
        (["--strategy", "fedmagic"], ["fedmagic", "federation.strategy", "fedavg"]),
        (["--set", "training.batchsize=4"], ["training.batchsize", "training.batch_size"]),
        (["--set", "training.batch_size=0"], ["training.batch_size", "0"]),
        (["--set", "training.batch_size"], ["--set"]),
        (["--set", "model.image.name=resnet50"], ["resnet50", "model.image.name"]),
        (["--set", "model.image.frozen_blocks=99"], ["99", "model.image.frozen_blocks"]),
        (["--partition", "iid", "--sites", "900"], ["900"]),
        (["--partition", "center", "--sites", "7"], ["7", "3"]),
        (["--partition", "weekday"], ["weekday"]),
        (["--config", "absent.toml"], ["absent.toml"]),
        (["--set", "preset=7"], ["--preset"]),
        (["--set", "federation.quorum=9"], ["9", "3"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(
    command: Command,
    synthetic: Path,
    tmp_path: Path,
    small: list[str],
    arguments: list[str],
    words: list[str],
) -> None:
    out = tmp_path / "out"
    refused(command("run", "--data", synthetic, "--out", out, *small, *arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(command: Command, tmp_path: Path) -> None:
    refused(command("run", "--data", tmp_path / "nowhere", "--out", tmp_path / "out"), "nowhere")


def test_a_table_without_a_needed_column_is_named(command: Command, copy: Path, tmp_path: Path) -> None:
    table = pd.read_csv(copy / TABLE, dtype=str)
    table.drop(columns="DR_ICDR").to_csv(copy / TABLE, index=False)
    refused(command("run", "--data", copy, "--out", tmp_path / "out"), "DR_ICDR", TABLE)


def test_bad_rows_are_listed_and_the_run_goes_on(
    command: Command, copy: Path, tmp_path: Path, small: list[str]
) -> None:
    table = pd.read_csv(copy / TABLE, dtype=str, keep_default_na=False)
    table.loc[0, "DR_ICDR"] = "7"
    table.to_csv(copy / TABLE, index=False)
    unreadable = copy / "fundus_photos" / f"{table.loc[1, 'image_id']}.jpg"
    unreadable.write_bytes(unreadable.read_bytes()[:100])
    (copy / "fundus_photos" / f"{table.loc[2, 'image_id']}.jpg").unlink()
    out = tmp_path / "out"
    arguments = ["--rounds", 1, "--set", "evaluation.comparison=false", "--set", "training.local_steps=1"]
    shown = command("run", "--data", copy, "--out", out, *small, *arguments)
    assert shown.code == 0, shown.err
    quarantine = pd.read_csv(out / "quarantine.csv", dtype=str)
    found = dict(zip(quarantine["record"], quarantine["reason"], strict=True))
    assert {table.loc[row, "image_id"] for row in (0, 1, 2)} <= set(found)
    lines = dict(zip(quarantine["record"], quarantine["row"], strict=True))
    assert lines[table.loc[0, "image_id"]] == "2"


def test_a_model_folder_that_is_none_is_named(command: Command, synthetic: Path, tmp_path: Path) -> None:
    refused(command("evaluate", "--model", tmp_path, "--data", synthetic), "model.safetensors")


def test_synthesize_refuses_a_folder_that_is_not_empty(command: Command, synthetic: Path) -> None:
    before = sorted(path.name for path in synthetic.iterdir())
    refused(command("synthesize", synthetic, "--patients", 2), str(synthetic))
    assert sorted(path.name for path in synthetic.iterdir()) == before


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_of_a_round_leaves_nothing(
    synthetic: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    out = tmp_path / "out"
    sets = [part for item in SMALL.split() for part in ("--set", item)]
    arguments = ["run", "--data", str(synthetic), "--rounds", "100000", "--out", str(out), *sets]
    process = subprocess.Popen(
        [sys.executable, "-c", "from simulations.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while (
        time.monotonic() < deadline
        and not list(tmp_path.glob(".out.*/history.jsonl"))
        and process.poll() is None
    ):
        time.sleep(0.2)
    if stop is signal.SIGINT:
        os.killpg(process.pid, stop)  # as a terminal does: every process of the run
    else:
        process.send_signal(stop)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_nobody_to_test_on_is_said_before_training(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(synthetic, data)
    patients = pd.read_csv(data / TABLE, dtype=str)["patient_id"].unique()
    pd.DataFrame({"patient_id": patients, "split": "train"}).to_csv(data / "split.csv", index=False)
    refused(
        command("run", "--data", data, "--out", tmp_path / "out", *small), "no patient is left to test on"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["x" * 300, "."])
def test_an_output_folder_that_cannot_be_is_named(
    command: Command, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(command("run", "--data", synthetic, "--out", name), "fix:")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_an_empty_folder_is_written_through(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    sets = ["--set", "evaluation.comparison=false", "--set", "training.local_steps=1"]
    shown = command("run", "--data", synthetic, "--out", tmp_path / "link", "--rounds", 1, *small, *sets)
    assert shown.code == 0, shown.err
    assert (tmp_path / "real" / "metrics.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_leaves_nothing(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system does not let tests mount a small disk")
    try:
        refused(
            command("run", "--data", synthetic, "--out", disk / "out", "--rounds", 1, *small),
            "the disk is full",
        )
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
