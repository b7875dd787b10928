"""Grading figures, all computed from a 5x5 confusion matrix and nothing else.

Confusion matrices add up: the matrix of all sites is the sum of theirs, so pooled figures are exact without
any site showing a single prediction. Every metric here takes a stack of matrices, which lets the bootstrap
compute a thousand resamples in one call. What the data cannot support is undefined, never a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.predictions import Labels
from shared_model.records import GRADES

Floats = NDArray[np.float64]
Confusion = NDArray[np.int64] | Floats


def confusion_matrix(truth: Labels, predicted: Labels, classes: int = GRADES) -> NDArray[np.int64]:
    """(classes, classes) counts, truth in rows; samples whose truth or prediction is -1 are left out.

    Raises ValueError when the two differ in length or hold a grade that does not exist.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"{truth.shape} labels but {predicted.shape} predictions")
    if len(truth) and max(truth.max(), predicted.max()) >= classes:
        raise ValueError(f"a grade above {classes - 1}")
    known = (truth >= 0) & (predicted >= 0)
    cells = np.bincount(truth[known] * classes + predicted[known], minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def accuracy(confusion: Confusion) -> Floats:
    """(…, C, C) matrices -> (…) share of samples on the diagonal; NaN without samples."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def quadratic_weighted_kappa(confusion: Confusion) -> Floats:
    """(…, C, C) matrices -> (…) Cohen's kappa with squared distances (Cohen 1968).

    NaN where no disagreement could be expected by chance: no sample, or one and the same grade throughout.
    """
    grades = np.arange(confusion.shape[-1])
    distance = (grades[:, None] - grades[None, :]) ** 2  # (C, C)
    truth, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)  # (…, C)
    observed = (distance * confusion).sum(axis=(-2, -1))
    expected = _ratio(np.einsum("ij,...i,...j->...", distance, truth, predicted), truth.sum(axis=-1))
    return 1.0 - _ratio(observed, expected)


def macro_f1(confusion: Confusion) -> Floats:
    """(…, C, C) matrices -> (…) mean F1 of the grades in truth or prediction; NaN without samples."""
    present = confusion.sum(axis=-1) + confusion.sum(axis=-2)  # (…, C)
    f1 = _ratio(2.0 * np.diagonal(confusion, axis1=-2, axis2=-1), present)
    return _ratio(np.nansum(f1, axis=-1), (present > 0).sum(axis=-1))


def balanced_accuracy(confusion: Confusion) -> Floats:
    """(…, C, C) matrices -> (…) mean recall of the grades in truth; NaN without samples."""
    occurring = confusion.sum(axis=-1)  # (…, C)
    recall = _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), occurring)
    return _ratio(np.nansum(recall, axis=-1), (occurring > 0).sum(axis=-1))


METRICS: Mapping[str, Callable[[Confusion], Floats]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "quadratic_weighted_kappa": quadratic_weighted_kappa,
        "macro_f1": macro_f1,
        "balanced_accuracy": balanced_accuracy,
    }
)


def figures(confusion: NDArray[np.int64]) -> dict[str, Any]:
    """The JSON-ready figures of one matrix: n, METRICS, recall_per_grade and the matrix itself.

    None wherever the data cannot support a figure: every metric without samples, kappa when truth and
    prediction are one and the same grade throughout, the recall of a grade that does not occur.
    """
    recall = _ratio(np.diagonal(confusion), confusion.sum(axis=1))
    return {
        "n": int(confusion.sum()),
        **{name: number(metric(confusion)) for name, metric in METRICS.items()},
        "recall_per_grade": [number(value) for value in recall],
        "confusion": confusion.astype(int).tolist(),
    }


def number(value: float | Floats) -> float | None:
    """A figure as JSON holds it: a plain float, or None where it is undefined."""
    return float(value) if np.isfinite(value) else None


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """above / below, NaN where below is 0."""
    below = np.asarray(below, dtype=np.float64)
    ratio: Floats = np.full(np.broadcast_shapes(np.shape(above), below.shape), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
