"""Referable retinopathy against scikit-learn and torchmetrics, ties and absent classes among the cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_sensitivity_at_specificity

from shared_model.metrics.bootstrap import weighted
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.referable import NAMES, Curve, _Ascending, by_score, referable_figures, roc_points

CASES = 200
Scores = NDArray[np.float64]


def random_case(seed: int) -> tuple[NDArray[np.bool_], Scores]:
    """Few distinct scores in every second case; now and then one class only."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 60))
    truth = generator.random(size) < generator.choice([0.05, 0.3, 0.5, 0.95])
    score = generator.random(size) * 0.8 + 0.1 * truth
    return truth, np.round(score, 1) if seed % 2 else score


def predictions(truth: NDArray[np.bool_], score: Scores, each: int = 2) -> Predictions:
    """Binary truth and scores as grades 0 and 2."""
    size = len(truth)
    probabilities = np.zeros((size, 5))
    probabilities[:, 0], probabilities[:, 3] = 1 - score, score
    nothing = np.full(size, -1, dtype=np.int64)
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // each}" for i in range(size)]),
        site=np.full(size, ""),
        truth={"icdr": 2 * truth.astype(np.int64)},
        probabilities={"icdr": {"all": probabilities}},
        note=nothing,
        embeddings={},
    )


def curve(truth: NDArray[np.bool_], score: Scores) -> Curve:
    return Curve(*by_score(truth, score)[:2])


def best_sensitivity(truth: NDArray[np.bool_], score: Scores, specificity: float) -> float:
    false_positive, sensitivity, _ = roc_curve(truth, score, drop_intermediate=False)
    return float(sensitivity[1 - false_positive >= specificity - 1e-9].max())


def test_figures_agree_with_scikit_learn_and_torchmetrics_on_random_cases_with_ties() -> None:
    one_class = 0
    for seed in range(CASES):
        truth, score = random_case(seed)
        found = referable_figures(predictions(truth, score), "icdr", "all", 20)
        if truth.all() or not truth.any():
            one_class += 1
            assert {found[name] for name in NAMES} == {None}
            assert found["unavailable"] in ("every photograph is referable", "no photograph is referable")
            continue
        assert found["auroc"] == pytest.approx(roc_auc_score(truth, score))
        assert found["auprc"] == pytest.approx(average_precision_score(truth, score))
        assert found["prevalence"] == pytest.approx(truth.mean())
        target, given = torch.from_numpy(truth.astype(np.int64)), torch.from_numpy(score)
        for name, specificity in (
            ("sensitivity_at_90_specificity", 0.9),
            ("sensitivity_at_95_specificity", 0.95),
        ):
            expected, _ = binary_sensitivity_at_specificity(given, target, specificity)
            assert found[name] == pytest.approx(best_sensitivity(truth, score, specificity), abs=1e-9)
            assert found[name] == pytest.approx(float(expected), abs=1e-5)
            threshold = found["threshold"][name]
            referred = np.zeros(len(score), bool) if threshold is None else score >= threshold
            assert referred[truth].mean() == pytest.approx(found[name])
            assert (~referred[~truth]).mean() >= specificity - 1e-9
    assert one_class > 5


def test_the_fast_bootstrap_is_the_figure_of_resampled_samples() -> None:
    generator = np.random.default_rng(3)
    truth = generator.random(90) < 0.4
    score = np.round(generator.random(90) * 0.8 + 0.2 * truth, 2)
    order = np.argsort(score, kind="stable")
    patients = np.array([f"p{i // 2}" for i in range(len(truth))])
    rows: list[NDArray[np.float64]] = []
    weighted(patients[order], lambda w: (rows.append(w), w[:, 0])[1], 30)
    for weights in np.concatenate(rows):
        copies = np.repeat(order, weights.astype(int))
        drawn = curve(truth[copies], score[copies])
        if truth[copies].all() or not truth[copies].any():
            continue
        assert drawn.auroc() == pytest.approx(roc_auc_score(truth[copies], score[copies]))
        assert drawn.average_precision() == pytest.approx(
            average_precision_score(truth[copies], score[copies])
        )
    found = referable_figures(predictions(truth, score), "icdr", "all", 300)
    for name in NAMES:
        low, high = found["intervals"][name]
        assert 0 <= low <= found[name] <= high <= 1


def test_weights_are_copies() -> None:
    generator = np.random.default_rng(0)
    truth, score = random_case(5)
    weights = generator.integers(0, 4, len(truth)).astype(float)
    order = np.argsort(score, kind="stable")
    copies = np.repeat(order, weights[order].astype(int))
    values = _Ascending(truth[order], score[order])(weights[None, order])[0]
    again = curve(truth[copies], score[copies])
    at = [again.sensitivity_at(specificity)[0] for specificity in (0.9, 0.95)]
    assert values == pytest.approx(np.array([again.auroc(), again.average_precision(), *at]))


def test_roc_points_are_scikit_learns() -> None:
    truth, score = random_case(7)
    points = roc_points(predictions(truth, score), "icdr")
    expected = roc_curve(truth, score, drop_intermediate=False)
    assert points["false_positive_rate"] == pytest.approx(expected[0])
    assert points["sensitivity"] == pytest.approx(expected[1])
    assert roc_points(predictions(np.ones(4, bool), np.ones(4)), "icdr") is None


def test_one_patient_has_figures_and_no_interval() -> None:
    truth, score = random_case(9)
    found = referable_figures(predictions(truth, score, each=100), "icdr", "all", 50)
    assert found["auroc"] is not None
    assert set(found["intervals"].values()) == {None}
    assert found["unavailable"] == "a single patient: no intervals"


def test_nothing_to_grade_and_broken_scores_are_named() -> None:
    truth, score = random_case(11)
    assert referable_figures(predictions(truth, score * np.nan), "icdr", "all", 9)["unavailable"] == (
        "no score is a number"
    )
    unlabelled = referable_figures(predictions(truth, score), "sdrg", "all", 9)
    assert (unlabelled["n"], unlabelled["auroc"], unlabelled["unavailable"]) == (
        0,
        None,
        "no record has a label",
    )
    nobody = referable_figures(predictions(truth[:0], score[:0]), "icdr", "all", 9)
    assert (nobody["n"], nobody["unavailable"]) == (0, "there are no records")
