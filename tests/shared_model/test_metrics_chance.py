"""The gap that chance makes: equal groups are called unequal in one draw of twenty, unequal ones are found."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from shared_model.metrics.chance import against_chance, gaps_by_chance
from shared_model.metrics.grading import METRICS, confusion_matrix
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.subgroups import FIGURES, subgroup_figures
from tests.shared_model.test_metrics_document import predictions

KAPPA = "quadratic_weighted_kappa"
DRAWS = 150
MOST = 15  # of 150 at 5 %: more in one of 200 such tests


def drawn(seed: int, groups: int, patients: int = 120, worse: float = 0.0) -> dict[str, np.ndarray]:
    """Two photographs a patient, graded alike; the last group is graded worse by so much."""
    random = np.random.default_rng(seed)
    group = np.repeat(random.permutation(np.arange(patients) % groups), 2)
    severity = np.repeat(random.integers(0, 5, patients), 2)
    hard = np.repeat(random.random(patients), 2) < 0.5  # the eyes of a patient go wrong together
    right = random.random(2 * patients) < 0.8 - 0.3 * hard - worse * (group == groups - 1)
    return {
        "truth": severity,
        "predicted": np.where(right, severity, random.integers(0, 5, 2 * patients)),
        "patients": np.repeat(np.arange(patients), 2).astype(str),
        "groups": group.astype(str),
    }


def gap(sample: dict[str, np.ndarray], figure: str) -> float:
    values = [
        float(METRICS[figure](confusion_matrix(sample["truth"][here], sample["predicted"][here])))
        for here in (sample["groups"] == name for name in np.unique(sample["groups"]))
    ]
    return max(values) - min(values)


def more(sample: dict[str, np.ndarray], figure: str, permutations: int = 199) -> bool:
    found = gaps_by_chance(**sample, figures=[figure], permutations=permutations)
    assert found is not None
    return bool(against_chance(gap(sample, figure), found[figure])["more_than_chance"])


@pytest.mark.parametrize("groups", [4, 6])
@pytest.mark.parametrize("figure", ["accuracy", KAPPA])
def test_groups_that_do_not_differ_are_said_to_in_one_draw_of_twenty(groups: int, figure: str) -> None:
    alarms = sum(more(drawn(seed, groups), figure) for seed in range(DRAWS))
    assert 1 <= alarms <= MOST


def test_a_real_gap_is_found() -> None:
    found = [more(drawn(seed, 4, patients=200, worse=0.45), "accuracy") for seed in range(20)]
    assert sum(found) >= 18


def eyes(seed: int, worse: float = 0.0) -> dict[str, np.ndarray]:
    """Both eyes of most patients, of some a second photograph of one eye, and one eye of the others."""
    sample = drawn(seed, 2)
    count = len(sample["truth"])
    eye = np.where(np.arange(count) % 2 == 0, "left", "right")
    random = np.random.default_rng(seed)
    spoilt = (eye == "left") & (random.random(count) < worse)
    sample |= {"groups": eye, "predicted": np.where(spoilt, (sample["truth"] + 2) % 5, sample["predicted"])}
    kept = np.concatenate([np.delete(np.arange(count), np.arange(0, 60, 3)), [100, 102, 104]])
    return {name: column[kept] for name, column in sample.items()}


def test_eyes_of_one_patient_change_sides_and_nothing_else() -> None:
    alarms = sum(more(eyes(seed), "accuracy") for seed in range(DRAWS))
    assert 1 <= alarms <= MOST
    assert sum(more(eyes(seed, worse=0.4), "accuracy") for seed in range(20)) >= 18


def test_both_eyes_graded_alike_leave_nothing_for_chance() -> None:
    sample = drawn(0, 2)
    sample["predicted"] = np.repeat(sample["predicted"][::2], 2)
    sample["groups"] = np.tile(["left", "right"], 120)
    found = gaps_by_chance(**sample, figures=["accuracy"])
    assert found is not None
    assert (found["accuracy"] == 0).all()
    assert against_chance(0.0, found["accuracy"]) == {"p": 1.0, "chance": 0.0, "more_than_chance": False}


def test_a_group_whose_patients_can_exchange_with_nobody_is_not_tested() -> None:
    """Everybody was photographed with both cameras, and the third camera saw others only."""
    sample = drawn(0, 2)
    camera = np.tile(["a", "b"], 120)
    camera[160:] = "c"
    assert gaps_by_chance(**(sample | {"groups": camera}), figures=["accuracy"]) is None


def test_p_counts_the_gap_itself_and_agrees_with_the_limit() -> None:
    found = np.arange(1, 1001) / 1000
    assert against_chance(2.0, found) == {"p": 1 / 1001, "chance": 0.951, "more_than_chance": True}
    at, beyond = against_chance(0.951, found), against_chance(0.952, found)
    assert (at["more_than_chance"], beyond["more_than_chance"]) == (False, True)
    assert beyond["p"] <= 0.05 < at["p"]
    nothing = {"p": None, "chance": None, "more_than_chance": None}
    assert against_chance(0.5, np.where(found > 0.85, np.nan, found)) == nothing
    assert against_chance(0.5, np.array([])) == nothing


def test_a_thousand_patients_a_thousand_times_take_a_moment() -> None:
    sample = drawn(1, 6, patients=1000)
    started = time.process_time()
    found = gaps_by_chance(**sample, figures=FIGURES)
    assert time.process_time() - started < 3  # 0.2 s on an idle core
    assert found is not None
    assert {len(values) for values in found.values()} == {1000}


def with_centres(worse: float) -> Predictions:
    sample = drawn(3, 4, patients=160, worse=worse)
    scores = 0.05 + 0.75 * np.eye(5, dtype=np.float32)[sample["predicted"]]
    return replace(
        predictions(size=320),
        site=sample["groups"],
        truth={"icdr": sample["truth"]},
        probabilities={"icdr": {"all": scores}},
    )


def test_the_document_tells_a_gap_from_chance() -> None:
    equal, unequal = (
        subgroup_figures(with_centres(worse), "icdr", "all", 50)["centre"]["gaps"]["accuracy"]
        for worse in (0.0, 0.5)
    )
    assert (equal["more_than_chance"], unequal["more_than_chance"]) == (False, True)
    assert 0.05 < equal["p"] <= 1
    assert unequal["p"] < 0.05
    assert (unequal["worst"], unequal["untested"]) == ("3", None)
    assert equal["gap"] <= equal["chance"]
    assert subgroup_figures(with_centres(0.0), "icdr", "all", 50)["centre"]["gaps"]["accuracy"] == equal
