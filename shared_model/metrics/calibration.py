"""Whether a probability means what it says, and the one number that mends it (Guo et al., 2017).

A temperature divides the logits. Since softmax(z / T) is p^(1/T) made to sum to 1, probabilities are enough
and logits are never kept. Expected calibration error: 15 equally wide bins of the confidence, closed below, each
counted by its share of the samples (Naeini et al., 2015). Brier: the squared distance to the label, summed over
the five grades (0 to 2; Brier, 1950), or of the referable probability alone (0 to 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics import bootstrap
from shared_model.metrics.grading import Floats, number
from shared_model.metrics.predictions import MISSING, Labels, Predictions
from shared_model.metrics.referable import REFERABLE, referable_score
from shared_model.records import GRADES

BINS = 15
LARGEST_LOSS = 20.0  # nats: one sample that was given no chance at all must not decide alone
NAMES = ("ece", "brier", "referable_ece", "referable_brier", "log_loss")


def calibrated(probabilities: Floats, temperature: float | Floats) -> Floats:
    """(N, 5) probabilities at a temperature above 0, one for all or (N,); rows of NaN stay so."""
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities.astype(np.float64)) / np.reshape(temperature, (-1, 1))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def log_loss(probabilities: Floats, truth: Labels) -> Floats:
    """(N,) -log of the probability of the true grade, in nats, at most LARGEST_LOSS."""
    given = np.take_along_axis(probabilities, truth[:, None], axis=1)[:, 0]
    loss: Floats = -np.log(np.maximum(given, np.exp(-LARGEST_LOSS)))
    return loss


def brier(probabilities: Floats, truth: Labels) -> Floats:
    """(N,) squared distance between the probabilities and the label."""
    found: Floats = ((probabilities - np.eye(GRADES)[truth]) ** 2).sum(axis=1)
    return found


def reliability(confidence: Floats, right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """BINS rows of the reliability diagram: low, high, n, confidence and accuracy (means; None where n is 0)."""
    place = bins_of(confidence)
    n = np.bincount(place, minlength=BINS)
    said, was = (np.bincount(place, weights=w, minlength=BINS) for w in (confidence, right.astype(float)))
    return [
        {
            "low": b / BINS,
            "high": (b + 1) / BINS,
            "n": int(n[b]),
            "confidence": float(said[b] / n[b]) if n[b] else None,
            "accuracy": float(was[b] / n[b]) if n[b] else None,
        }
        for b in range(BINS)
    ]


def expected_error(confidence: Floats, right: NDArray[np.bool_], weights: Floats) -> Floats:
    """Expected calibration error of weighted samples: (N,), (N,), (R, N) -> (R,)."""
    member = np.eye(BINS)[bins_of(confidence)] * (confidence - right)[:, None]  # (N, BINS)
    total = weights.sum(axis=1)
    found: Floats = np.abs(weights @ member).sum(axis=1) / np.where(total > 0, total, np.nan)
    return found


def bins_of(confidence: Floats) -> NDArray[np.int64]:
    """(N,) bin of each confidence: [0, 1/15), ... the last one closed."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    place = np.searchsorted(edges, confidence, side="right") - 1
    return np.clip(place, 0, BINS - 1).astype(np.int64)


def calibration_figures(
    predictions: Predictions,
    task: str,
    temperature: float | Floats = 1.0,
    given: str = "all",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """One side (before or after) of `trust.TASK.calibration`: n, each of NAMES with intervals over patients, and
    the reliability bins of the grade's confidence (`bins`) and of the referable probability (`referable_bins`).
    """
    truth, raw = predictions.labels(task), predictions.scores(task, given)
    known = (truth != MISSING) & np.isfinite(raw).all(axis=1)
    if not known.any():
        nothing: dict[str, Any] = {"n": 0, **dict.fromkeys(NAMES), "intervals": dict.fromkeys(NAMES)}
        why = predictions.why_ungraded(task, given)
        return {**nothing, "bins": [], "referable_bins": [], "unavailable": why}
    if np.ndim(temperature):
        temperature = np.asarray(temperature)[known]
    samples = _Samples(calibrated(raw[known], temperature), truth[known])
    values = samples(np.ones((1, len(samples.truth))))[0]
    drawn, count = bootstrap.weighted(predictions.patient[known], samples, resamples, seed)
    return {
        "n": int(known.sum()),
        **{name: number(value) for name, value in zip(NAMES, values, strict=True)},
        "intervals": {
            name: bootstrap.interval_of(column, count) for name, column in zip(NAMES, drawn.T, strict=True)
        },
        "bins": reliability(samples.confidence, samples.right),
        "referable_bins": reliability(samples.score, samples.referable),
        "unavailable": "a single patient: no intervals" if count < 2 else None,
    }


class _Samples:
    """NAMES of weighted samples: (R, N) -> (R, 5)."""

    def __init__(self, probabilities: Floats, truth: Labels) -> None:
        self.truth = truth
        self.confidence, self.right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        self.score, self.referable = referable_score(probabilities), truth >= REFERABLE
        means = (
            brier(probabilities, truth),
            (self.score - self.referable) ** 2,
            log_loss(probabilities, truth),
        )
        self._means = np.stack(means, axis=1)

    def __call__(self, weights: Floats) -> Floats:
        means = weights @ self._means / weights.sum(axis=1, keepdims=True)
        ece = expected_error(self.confidence, self.right, weights)
        binary = expected_error(self.score, self.referable, weights)
        return np.stack([ece, means[:, 0], binary, means[:, 1], means[:, 2]], axis=1)
