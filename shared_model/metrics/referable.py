"""Referable retinopathy (grade 2 and above): who is found when a score decides who is sent on.

Everything is computed from how many referable and other samples have each score, in ascending order of the
scores. The same functions therefore serve single samples, a thousand resamples of them (weights in place of
counts) and histograms that sites have summed. Ties are one threshold, as in scikit-learn: nothing is
interpolated between the points of the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics import bootstrap
from shared_model.metrics.grading import Floats, number
from shared_model.metrics.predictions import MISSING, Predictions

REFERABLE = 2  # the lowest grade that is referred
SPECIFICITIES = (0.90, 0.95)
NAMES = ("auroc", "auprc", *(f"sensitivity_at_{s * 100:.0f}_specificity" for s in SPECIFICITIES))


def referable_score(probabilities: Floats) -> Floats:
    """(N, 5) -> (N,) probability of grade 2 or above."""
    score: Floats = probabilities[:, REFERABLE:].sum(axis=1)
    return score


class Curve:
    """positive, negative: (…, G) counts by ascending score. Figures are (…), NaN where a side is missing."""

    def __init__(self, positive: Floats, negative: Floats) -> None:
        self.positive, self.negative = positive, negative
        self._missed, self._spared = (
            positive.cumsum(axis=-1),
            negative.cumsum(axis=-1),
        )  # by referring what is above
        self.positives, self.negatives = positive.sum(axis=-1), negative.sum(axis=-1)

    def auroc(self) -> Floats:
        """P(a positive scores higher than a negative), ties counting half."""
        below = (self.positive * self._spared).sum(axis=-1) - (self.positive * self.negative).sum(axis=-1) / 2
        return _defined(below, self.positives * self.negatives)

    def average_precision(self) -> Floats:
        """Sum of precision over steps of recall."""
        found = self.positives[..., None] - self._missed + self.positive
        referred = found + self.negatives[..., None] - self._spared + self.negative
        # Where nobody is left to refer nobody is found either: 0 / 1 adds nothing.
        summed = (self.positive * found / np.maximum(referred, 1.0)).sum(axis=-1)
        # Without a negative the precision is 1 whatever the score says: no skill is measured.
        return np.where(self.negatives > 0, _defined(summed, self.positives), np.nan)

    def sensitivity_at(self, specificity: float) -> tuple[Floats, NDArray[np.intp]]:
        """The best sensitivity of a threshold with this specificity (above 0) or more, and the threshold's place:
        scores from there on are referred, none where it is G.
        """
        enough = specificity * self.negatives * (1 - 1e-12)  # 0.95 x 20 is not quite 19 in binary
        last = (self._spared < enough[..., None]).sum(axis=-1)  # the last score that must not be referred
        missed = np.take_along_axis(
            self._missed, np.minimum(last, self._missed.shape[-1] - 1)[..., None], axis=-1
        )
        sensitivity = _defined(self.positives - missed[..., 0], self.positives)
        return np.where(self.negatives > 0, sensitivity, np.nan), last + 1


def referable_figures(
    predictions: Predictions, task: str, given: str, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """`referable` of a task's figures, for the probability of grade 2 or above.

    n, positives, prevalence (what AUPRC would be without any skill); each of NAMES; `threshold` for each
    specificity: scores of at least this are referred, None where none may be; `intervals` of NAMES over patients.
    unavailable: why figures are None, else None.
    """
    truth, score = predictions.labels(task), referable_score(predictions.scores(task, given))
    known = (truth != MISSING) & np.isfinite(score)
    truth, score, patients = truth[known] >= REFERABLE, score[known], predictions.patient[known]
    found = _figures(truth, score)
    order = np.argsort(score, kind="stable")
    drawn = _Ascending(truth[order], score[order])
    values, count = bootstrap.weighted(patients[order], drawn, resamples, seed)
    columns = values.reshape(len(values), -1).T if len(truth) else [values] * len(NAMES)
    intervals = {
        name: None if found[name] is None else bootstrap.interval_of(column, count)
        for name, column in zip(NAMES, columns, strict=True)
    }
    why = _why(truth, predictions, task, given)
    return {**found, "intervals": intervals, "unavailable": why}


def roc_points(predictions: Predictions, task: str, given: str = "all") -> dict[str, list[float]] | None:
    """The ROC curve's corners from (0, 0) to (1, 1): false_positive_rate, sensitivity; None with one class."""
    truth, score = predictions.labels(task), referable_score(predictions.scores(task, given))
    known = (truth != MISSING) & np.isfinite(score)
    positive, negative, _ = by_score(truth[known] >= REFERABLE, score[known])
    if not positive.sum() or not negative.sum():
        return None
    sides = {"false_positive_rate": negative, "sensitivity": positive}
    return {k: [0.0, *(np.cumsum(side[::-1]) / side.sum()).tolist()] for k, side in sides.items()}


def by_score(truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats, Floats]:
    """Positives and negatives (G,) at each distinct score, ascending, and these scores (G,)."""
    order = np.argsort(score, kind="stable")
    positive, negative = _Ascending(truth[order], score[order]).sides(np.ones(len(score)))
    return positive, negative, np.unique(score)


class _Ascending:
    """NAMES of weighted samples in ascending order of their scores: (R, N) -> (R, 4)."""

    def __init__(self, truth: NDArray[np.bool_], score: Floats) -> None:
        self._truth = truth.astype(np.float64)
        starts = np.flatnonzero(np.diff(score, prepend=np.nan) != 0)
        self._starts = starts if len(starts) < len(score) else None

    def sides(self, weights: Floats) -> tuple[Floats, Floats]:
        """(…, N) weights -> (…, G) of positives and negatives at each distinct score."""
        positive = weights * self._truth
        negative = weights - positive
        if self._starts is None:
            return positive, negative
        return np.add.reduceat(positive, self._starts, axis=-1), np.add.reduceat(
            negative, self._starts, axis=-1
        )

    def __call__(self, weights: Floats) -> Floats:
        return np.stack(_values(*self.sides(weights)), axis=-1)


def _values(positive: Floats, negative: Floats) -> Sequence[Floats]:
    curve = Curve(positive, negative)
    at = [curve.sensitivity_at(specificity)[0] for specificity in SPECIFICITIES]
    return [curve.auroc(), curve.average_precision(), *at]


def _figures(truth: NDArray[np.bool_], score: Floats) -> dict[str, Any]:
    positive, negative, scores = by_score(truth, score)
    n, positives = len(truth), int(truth.sum())
    values = [float(value) for value in _values(positive, negative)] if n else [float("nan")] * len(NAMES)
    places = [int(Curve(positive, negative).sensitivity_at(s)[1]) for s in SPECIFICITIES] if n else []
    given = dict(zip(NAMES[2:], places, strict=bool(places)))
    both = 0 < positives < n
    thresholds = {
        name: float(scores[given[name]]) if both and given[name] < len(scores) else None for name in NAMES[2:]
    }
    return {
        "n": n,
        "positives": positives,
        "prevalence": positives / n if n else None,
        **{name: number(value) for name, value in zip(NAMES, values, strict=True)},
        "threshold": thresholds,
    }


def _why(truth: NDArray[np.bool_], predictions: Predictions, task: str, given: str) -> str | None:
    if not len(truth):
        return predictions.why_ungraded(task, given)
    if truth.all() or not truth.any():
        return "every photograph is referable" if truth.all() else "no photograph is referable"
    return None if len(np.unique(predictions.patient)) > 1 else "a single patient: no intervals"


def _defined(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
