"""The command that lets one site of several send poison: what it changes, and a small sample of what it finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared_model.records import GRADES
from simulations.experiments.poisoning import ATTACKS, cases, flipped_labels
from simulations.experiments.poisoning_page import as_markdown
from simulations.synthesis.dataset import synthesize

SMALL = (
    "model.image={size=64, width=32, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "model.decoders={image_channels=[8, 8, 8], text_layers=1, text_heads=2, text_feed_forward=48}",
    "training.local_steps=2",
    "training.batch_size=8",
)


def test_an_attack_changes_what_was_learnt_and_nothing_else() -> None:
    base, trained = np.array([1.0, 2.0]), np.array([1.5, 2.0])
    assert ATTACKS["sign flip"](base, trained).tolist() == [-1.0, 2.0]
    assert ATTACKS["scaling"](base, trained).tolist() == [31.0, 2.0]
    assert np.isnan(ATTACKS["NaN"](base, trained)).all()


def test_grades_are_turned_round_for_training_at_the_malicious_site_alone() -> None:
    table = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "c"],
            "split": ["train", "test", "train", "train"],
            "icdr": [0, 1, 2, 4],
            "sdrg": pd.array([4, 0, None, 1], "Int64"),
        }
    )
    found = flipped_labels(table, ["a", "b"])
    assert found["icdr"].tolist() == [GRADES - 1, 1, 2, 4]
    assert found["sdrg"].fillna(-1).tolist() == [0, 0, -1, 1]


def test_every_attack_meets_the_plain_mean_and_each_strategy() -> None:
    assert len(cases(["median", "krum"])) == 1 + 4 * 3


@pytest.mark.slow
def test_a_small_sample_from_the_command_line(tmp_path: Path) -> None:
    synthesize(tmp_path / "data", patients=60, seed=3)
    overrides = [part for override in SMALL for part in ("--set", override)]
    done = subprocess.run(
        [sys.executable, "-m", "simulations", "poisoning", "--data", str(tmp_path / "data"), "--rounds", "2",
         "--out", str(tmp_path / "out"), *overrides],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), (
        done.stderr
    )  # two rounds teach nothing: whether the goal is reached is chance
    document = json.loads((tmp_path / "out" / "poisoning.json").read_text())
    found = {(row["attack"], row["strategy"]): row for row in document["rows"]}
    assert len(found) == 9
    assert found["NaN", "trimmed_mean"]["refused"] == 2  # each of its updates
    assert found["NaN", "fedavg, unguarded"]["kappa"] == 0
    assert found["sign flip", "trimmed_mean"]["ended"] == ""
    assert (tmp_path / "out" / "poisoning.md").read_text() == as_markdown(document)


def test_a_strategy_that_there_is_not_is_a_mistake(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulations", "poisoning", "--data", str(tmp_path), "--strategies", "hope"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no such strategy" in done.stderr
