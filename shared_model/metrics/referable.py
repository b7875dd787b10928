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


def auroc(positive: Floats, negative: Floats) -> Floats:
    """(…, G) counts by ascending score -> (…) P(a positive scores higher), ties counting half; NaN with one class."""
    below = np.cumsum(negative, axis=-1) - negative / 2
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return _defined((positive * below).sum(axis=-1), pairs)


def average_precision(positive: Floats, negative: Floats) -> Floats:
    """(…, G) counts by ascending score -> (…) sum of precision over steps of recall; NaN without a positive."""
    referred, found = _from_above(positive + negative), _from_above(positive)
    precision = _defined(found, referred)
    return _defined(np.nansum(positive * precision, axis=-1), positive.sum(axis=-1))


def sensitivity_at(positive: Floats, negative: Floats, specificity: float) -> tuple[Floats, NDArray[np.intp]]:
    """(…, G) counts by ascending score -> (…) the best sensitivity of a threshold with this specificity or more,
    and the threshold's place: scores from there on are referred, none where it is G. NaN with one class.
    """
    negatives = negative.sum(axis=-1, keepdims=True)
    spared = np.concatenate([np.zeros_like(negatives), np.cumsum(negative, axis=-1)], axis=-1)  # (…, G + 1)
    enough = spared >= specificity * negatives * (1 - 1e-12)  # 0.95 x 20 is not quite 19 in binary
    place = np.argmax(enough, axis=-1)
    found = np.concatenate([_from_above(positive), np.zeros_like(negatives)], axis=-1)
    caught = np.take_along_axis(found, place[..., None], axis=-1)[..., 0]
    sensitivity = _defined(caught, positive.sum(axis=-1))
    return np.where(negatives[..., 0] > 0, sensitivity, np.nan), place


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
    values, count = bootstrap.weighted(patients, _Resampled(truth, score), resamples, seed)
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


def by_score(
    truth: NDArray[np.bool_], score: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Positives and negatives (…, G) at each distinct score, ascending, and these scores (G,).

    weights: (…, N), one each by default.
    """
    order = np.argsort(score, kind="stable")
    distinct, starts = np.unique(score[order], return_index=True)
    weight = np.ones(len(score)) if weights is None else weights[..., order]
    positive, negative = weight * truth[order], weight * ~truth[order]
    if len(distinct) < len(score):
        positive, negative = (np.add.reduceat(side, starts, axis=-1) for side in (positive, negative))
    return positive, negative, distinct


class _Resampled:
    """NAMES of weighted samples: (R, N) -> (R, 4)."""

    def __init__(self, truth: NDArray[np.bool_], score: Floats) -> None:
        self._truth, self._score = truth, score

    def __call__(self, weights: Floats) -> Floats:
        return np.stack(_values(*by_score(self._truth, self._score, weights)[:2]), axis=-1)


def _values(positive: Floats, negative: Floats) -> Sequence[Floats]:
    at = [sensitivity_at(positive, negative, specificity)[0] for specificity in SPECIFICITIES]
    both = positive.sum(axis=-1) * negative.sum(axis=-1) > 0
    # Without a negative the precision is 1 whatever the score says: no skill is measured.
    return [auroc(positive, negative), np.where(both, average_precision(positive, negative), np.nan), *at]


def _figures(truth: NDArray[np.bool_], score: Floats) -> dict[str, Any]:
    positive, negative, scores = by_score(truth, score)
    n, positives = len(truth), int(truth.sum())
    values = [float(value) for value in _values(positive, negative)] if n else [float("nan")] * len(NAMES)
    places = [int(sensitivity_at(positive, negative, s)[1]) for s in SPECIFICITIES] if n else []
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


def _from_above(counts: Floats) -> Floats:
    """(…, G) -> (…, G) how many are at this place or above."""
    found: Floats = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    return found


def _defined(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
