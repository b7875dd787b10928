"""Calibration against torchmetrics, scikit-learn and torch, on random cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from shared_model.metrics.calibration import BINS, calibrated, calibration_figures
from shared_model.metrics.predictions import Predictions

CASES = 200


def random_case(seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels of a random subset of the grades; probabilities that repeat in every second case."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 60))
    truth = generator.choice(generator.permutation(5)[: generator.integers(1, 6)], size).astype(np.int64)
    logits = 2 * generator.normal(size=(size, 5)) + 1.5 * np.eye(5)[truth]
    return truth, torch.softmax(torch.from_numpy(np.round(logits) if seed % 2 else logits), 1).numpy()


def predictions(truth: NDArray[np.int64], probabilities: NDArray[np.float64], each: int = 2) -> Predictions:
    size = len(truth)
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // each}" for i in range(size)]),
        site=np.full(size, ""),
        truth={"icdr": truth},
        probabilities={"icdr": {"all": probabilities}},
        note=np.full(size, -1, dtype=np.int64),
        embeddings={},
    )


def test_figures_agree_with_torchmetrics_and_scikit_learn_on_random_cases() -> None:
    for seed in range(CASES):
        truth, probabilities = random_case(seed)
        found = calibration_figures(predictions(truth, probabilities), "icdr", resamples=20)
        given, target = torch.from_numpy(probabilities), torch.from_numpy(truth)
        referable = probabilities[:, 2:].sum(axis=1)
        ece = multiclass_calibration_error(given, target, 5, n_bins=BINS)
        binary = binary_calibration_error(
            torch.from_numpy(referable).clamp(max=1 - 1e-12), (target >= 2).long(), n_bins=BINS
        )
        assert found["ece"] == pytest.approx(float(ece), abs=1e-6)
        assert found["referable_ece"] == pytest.approx(float(binary), abs=1e-6)
        whole = brier_score_loss(truth, probabilities, labels=range(5), scale_by_half=False)
        assert found["brier"] == pytest.approx(whole)
        assert found["referable_brier"] == pytest.approx(np.mean((referable - (truth >= 2)) ** 2))
        assert found["log_loss"] == pytest.approx(log_loss(truth, probabilities, labels=range(5)))
        assert sum(row["n"] for row in found["bins"]) == found["n"] == len(truth)
        gap = sum(r["n"] * abs(r["confidence"] - r["accuracy"]) for r in found["bins"] if r["n"])
        assert gap / found["n"] == pytest.approx(found["ece"])


def test_a_temperature_divides_the_logits() -> None:
    logits = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    raw = torch.softmax(logits, 1).numpy()
    for temperature in (0.25, 1.0, 3.7):
        expected = torch.softmax(logits / temperature, 1).numpy()
        assert calibrated(raw, temperature) == pytest.approx(expected)
    each = np.linspace(0.5, 2, 30)
    assert calibrated(raw, each)[7] == pytest.approx(calibrated(raw, float(each[7]))[7])


def test_a_probability_of_nothing_stays_nothing_and_costs_a_bounded_loss() -> None:
    certain = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]])
    assert calibrated(certain, 3.0) == pytest.approx(certain)
    found = calibration_figures(predictions(np.array([4, 1]), certain), "icdr", resamples=5)
    assert found["log_loss"] == pytest.approx(10.0)  # 20 and 0


def test_missing_rows_do_not_count_and_nothing_at_all_is_named() -> None:
    truth, probabilities = random_case(2)
    holes = probabilities.copy()
    holes[0] = np.nan
    rest = calibration_figures(predictions(truth[1:], probabilities[1:], each=1), "icdr", resamples=5)
    some = calibration_figures(predictions(truth, holes, each=1), "icdr", resamples=5)
    assert some["ece"] == pytest.approx(rest["ece"])
    nothing = calibration_figures(predictions(truth, holes * np.nan), "icdr", resamples=5)
    assert (nothing["n"], nothing["ece"], nothing["unavailable"]) == (0, None, "no score is a number")
    assert set(nothing) == set(some)
