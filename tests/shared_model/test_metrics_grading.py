"""Grading figures against scikit-learn and torchmetrics, and what they say when the data says nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, f1_score
from torchmetrics.functional.classification import multiclass_cohen_kappa, multiclass_f1_score

from shared_model.metrics.grading import confusion_matrix, figures

CASES = 200


def random_case(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Truth and prediction over a random subset of the grades: absent grades and single grades among them."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 80))
    grades = generator.permutation(5)
    truth = generator.choice(grades[: generator.integers(1, 6)], size)
    predicted = np.where(
        generator.random(size) < 0.5, truth, generator.choice(grades[-generator.integers(1, 6) :], size)
    )
    return truth.astype(np.int64), predicted.astype(np.int64)


@pytest.fixture(scope="module")
def cases() -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    found = [random_case(seed) for seed in range(CASES)]
    assert any(len(set(truth) | set(predicted)) == 1 for truth, predicted in found)
    assert any(len(set(truth)) < 5 for truth, _ in found)
    return found


def test_figures_agree_with_scikit_learn_on_random_cases(cases) -> None:
    for truth, predicted in cases:
        ours = figures(confusion_matrix(truth, predicted))
        assert ours["n"] == len(truth)
        assert ours["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
        assert ours["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # grades predicted that do not occur
            balanced = balanced_accuracy_score(truth, predicted)
        assert ours["balanced_accuracy"] == pytest.approx(balanced)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one grade throughout: scikit-learn warns and divides by zero
            kappa = cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(5))
        if len(set(truth) | set(predicted)) == 1:
            assert ours["quadratic_weighted_kappa"] is None
        else:
            assert ours["quadratic_weighted_kappa"] == pytest.approx(kappa, abs=1e-12)


def test_figures_agree_with_torchmetrics_on_random_cases(cases) -> None:
    for truth, predicted in cases:
        ours = figures(confusion_matrix(truth, predicted))
        target, guess = torch.from_numpy(truth), torch.from_numpy(predicted)
        assert ours["macro_f1"] == pytest.approx(float(multiclass_f1_score(guess, target, 5)), abs=1e-5)
        if ours["quadratic_weighted_kappa"] is not None:
            kappa = multiclass_cohen_kappa(guess, target, 5, weights="quadratic")
            assert ours["quadratic_weighted_kappa"] == pytest.approx(float(kappa), abs=1e-4)


def test_recall_is_the_share_found_of_each_grade_and_none_where_it_is_absent(cases) -> None:
    for truth, predicted in cases:
        recall = figures(confusion_matrix(truth, predicted))["recall_per_grade"]
        for grade in range(5):
            there = truth == grade
            assert recall[grade] == (
                pytest.approx((predicted[there] == grade).mean()) if there.any() else None
            )


def test_summed_confusion_matrices_are_the_pooled_one(cases) -> None:
    truth = np.concatenate([truth for truth, _ in cases])
    predicted = np.concatenate([predicted for _, predicted in cases])
    summed = sum(confusion_matrix(*case) for case in cases)
    assert (summed == confusion_matrix(truth, predicted)).all()
    assert summed.dtype == np.int64


def test_a_missing_label_or_prediction_is_not_counted() -> None:
    truth = np.array([0, -1, 2, 3], dtype=np.int64)
    predicted = np.array([0, 1, -1, 4], dtype=np.int64)
    matrix = confusion_matrix(truth, predicted)
    assert matrix.sum() == 2
    assert matrix[0, 0] == matrix[3, 4] == 1


def test_without_samples_every_figure_is_none_and_n_is_zero() -> None:
    nothing = np.full(7, -1, dtype=np.int64)
    found = figures(confusion_matrix(nothing, nothing))
    assert found.pop("n") == 0
    assert found.pop("recall_per_grade") == [None] * 5
    assert found.pop("confusion") == [[0] * 5] * 5
    assert set(found.values()) == {None}


def test_always_the_majority_grade_scores_a_kappa_of_zero() -> None:
    truth = np.array([0, 0, 0, 1, 2, 4], dtype=np.int64)
    assert figures(confusion_matrix(truth, np.zeros(6, dtype=np.int64)))["quadratic_weighted_kappa"] == 0.0


def test_a_grade_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="a grade above 4"):
        confusion_matrix(np.array([5]), np.array([0]))
    with pytest.raises(ValueError, match="labels but"):
        confusion_matrix(np.array([1, 2]), np.array([0]))
