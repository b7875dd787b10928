"""Two models on one centre's test patients: their difference is paired, and absent where a model is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared_model.config import load_config
from simulations.experiments import Result
from simulations.experiments.graded import GRADED, read_graded
from simulations.transfer.difference import difference_text, differences

CONFIG = load_config("tiny", overrides=["evaluation.resamples=200"])


def kept(folder: Path, shift: int, reverse: bool = False) -> Result:
    """A model whose grades are right but for every fifth, which is `shift` too high; those of "b" are all wrong."""
    folder.mkdir()
    number = np.arange(200)
    truth = number % 5
    wrong = np.where(truth == 4, 0, truth + shift)
    graded = pd.DataFrame(
        {
            "record": [f"r{n}" for n in number],
            "patient": [f"p{n // 2}" for n in number],
            "site": np.where(number < 150, "a", "b"),
            "truth": truth,
            "all": np.where(number < 150, np.where(number % 3 == 0, wrong, truth), 4 - truth),
            "image": -1,
        }
    )
    (graded[::-1] if reverse else graded).to_parquet(folder / GRADED)
    return Result({"figures": {}}, folder)


def test_equal_models_differ_by_nothing_whatever_the_order_of_their_records(tmp_path: Path) -> None:
    same = kept(tmp_path / "a", 1), kept(tmp_path / "b", 1, reverse=True)
    found = differences(same[0], {"other": same[1]}, "a", CONFIG)["all"]["other"]
    assert found is not None
    assert (found["n"], found["patients"], found["difference"]) == (150, 75, 0.0)
    assert found["interval"] == [0.0, 0.0]
    assert difference_text(found) == "+0.00 [+0.00, +0.00]"


def test_a_better_model_is_better_on_the_patients_of_the_one_site(tmp_path: Path) -> None:
    better, worse = kept(tmp_path / "a", 0), kept(tmp_path / "b", 1)
    found = differences(better, {"worse": worse}, "a", CONFIG)["all"]["worse"]
    assert found is not None
    low, high = found["interval"]
    assert 0 < low <= found["difference"] <= high
    assert found["value_a"] - found["value_b"] == pytest.approx(found["difference"])


def test_a_model_that_failed_or_an_input_it_does_not_read_has_no_difference(tmp_path: Path) -> None:
    one, failed = kept(tmp_path / "a", 0), Result({}, tmp_path / "nowhere", failed="diverged")
    found = differences(one, {"failed": failed, "itself": one}, "a", CONFIG)
    assert found["all"]["failed"] is None
    assert (
        difference_text(found["all"]["failed"])
        == difference_text(found["image"]["itself"])
        == "not available"
    )


def test_damaged_grades_are_absent(tmp_path: Path) -> None:
    (tmp_path / GRADED).write_bytes(b"PAR1 torn")
    assert read_graded(tmp_path) is None
