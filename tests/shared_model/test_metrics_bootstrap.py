"""Patient bootstrap: what is resampled, what an interval covers, and when there is none."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_model.metrics.bootstrap import intervals, paired_difference
from shared_model.metrics.grading import METRICS, confusion_matrix

KAPPA = "quadratic_weighted_kappa"
Grades = NDArray[np.int64]


def grades(size: int, skill: float, seed: int = 0) -> tuple[Grades, Grades]:
    generator = np.random.default_rng(seed)
    truth = generator.choice(5, size, p=[0.5, 0.1, 0.2, 0.1, 0.1])
    return truth, np.where(generator.random(size) < skill, truth, generator.choice(5, size))


def patients(size: int, each: int = 2) -> NDArray[np.str_]:
    return np.array([f"p{i // each}" for i in range(size)])


def test_the_fast_bootstrap_matches_resampling_whole_patients_one_by_one() -> None:
    truth, predicted = grades(240, 0.6)
    who = patients(240, 3)
    generator = np.random.default_rng(1)
    names = np.unique(who)
    values = []
    for _ in range(4000):
        drawn = np.concatenate([np.flatnonzero(who == name) for name in generator.choice(names, len(names))])
        values.append(METRICS[KAPPA](confusion_matrix(truth[drawn], predicted[drawn])))
    fast = intervals(truth, predicted, who, 4000, seed=2)[KAPPA]
    assert fast == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.01)


def test_copies_of_a_photograph_of_one_patient_do_not_narrow_the_interval() -> None:
    truth, predicted = grades(100, 0.6)
    once = intervals(truth, predicted, patients(100, 1), 2000)
    tenfold = intervals(truth.repeat(10), predicted.repeat(10), patients(1000, 10), 2000)
    for metric in METRICS:
        assert tenfold[metric] == pytest.approx(once[metric], abs=0.02)


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    # Accuracy 0.7 by construction; two photographs of a patient are right or wrong together.
    covered = 0
    for seed in range(200):
        right = (np.random.default_rng(seed).random(150) < 0.7).repeat(2)
        truth = np.zeros(300, dtype=np.int64)
        low, high = intervals(truth, np.where(right, 0, 1), patients(300), 500, seed)["accuracy"]
        covered += low <= 0.7 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    truth, predicted = grades(200, 0.6)
    assert intervals(truth, predicted, patients(200), seed=3) == intervals(
        truth, predicted, patients(200), seed=3
    )
    assert intervals(truth, predicted, patients(200), seed=3) != intervals(
        truth, predicted, patients(200), seed=4
    )


def test_a_thousand_resamples_of_a_thousand_patients_are_quick() -> None:
    truth, predicted = grades(2000, 0.6)
    start = time.perf_counter()
    intervals(truth, predicted, patients(2000))
    assert time.perf_counter() - start < 0.5  # about 0.03 s on an idle core


def test_one_patient_or_no_label_has_no_interval() -> None:
    truth, predicted = grades(6, 0.6)
    missing = np.full(6, -1, dtype=np.int64)
    for found in (intervals(truth, predicted, patients(6, 6)), intervals(missing, predicted, patients(6, 1))):
        assert set(found) == set(METRICS)
        assert set(found.values()) == {None}


def test_a_figure_undefined_in_most_resamples_has_no_interval() -> None:
    # One of three patients has a grade other than 0: kappa does not exist in (2/3)^3 of the resamples.
    found = intervals(np.array([0, 0, 1]), np.array([0, 0, 1]), patients(3, 1))
    assert found[KAPPA] is None
    assert found["accuracy"] == [1.0, 1.0]


def test_a_model_against_itself_differs_by_exactly_nothing() -> None:
    truth, predicted = grades(200, 0.6)
    found = paired_difference(truth, predicted, [predicted, predicted], patients(200))
    assert found["difference"] == 0.0
    assert found["interval"] == [0.0, 0.0]
    assert found["ratio"] == 1.0


def test_pairing_is_sharper_than_comparing_two_intervals() -> None:
    truth, better = grades(600, 0.8)
    worse = np.where(np.random.default_rng(5).random(600) < 0.05, 0, better)
    who = patients(600)
    found = paired_difference(truth, better, [worse], who)
    low, high = found["interval"]
    single = intervals(truth, better, who)[KAPPA]
    assert 0 < low <= found["difference"] <= high
    assert high - low < single[1] - single[0]


def test_the_difference_is_to_the_mean_over_the_other_models() -> None:
    truth, a = grades(300, 0.8)
    _, b = grades(300, 0.5)
    c = np.zeros(300, dtype=np.int64)
    found = paired_difference(truth, a, [b, c], patients(300))
    kappa = [float(METRICS[KAPPA](confusion_matrix(truth, model))) for model in (a, b, c)]
    assert found["value_a"] == pytest.approx(kappa[0])
    assert found["value_b"] == pytest.approx((kappa[1] + kappa[2]) / 2)
    assert found["difference"] == pytest.approx(kappa[0] - (kappa[1] + kappa[2]) / 2)
    assert found["ratio"] == pytest.approx(found["value_a"] / found["value_b"])


def test_models_are_compared_only_on_samples_that_both_could_grade() -> None:
    truth, a = grades(100, 0.8)
    b = a.copy()
    b[:40] = -1
    found = paired_difference(truth, a, [b], patients(100))
    assert found["n"] == 60
    assert found["difference"] == 0.0


def test_no_common_sample_means_no_figure() -> None:
    truth, a = grades(10, 0.8)
    found = paired_difference(truth, a, [np.full(10, -1, dtype=np.int64)], patients(10))
    assert found == {
        "n": 0,
        "patients": 0,
        **dict.fromkeys(("value_a", "value_b", "difference", "interval", "ratio")),
    }


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    truth, a = grades(100, 0.8)
    assert paired_difference(truth, a, [np.zeros(100, dtype=np.int64)], patients(100))["ratio"] is None
