"""Intervals by resampling patients, not photographs: the eyes of one patient are not independent.

Each patient's samples become one confusion matrix; a resample is a sum of them weighted by how often the
patient was drawn, so a thousand resamples are one matrix product. Two models are compared on the very same
resamples, which is far sharper than comparing two intervals (Efron and Tibshirani 1993, chapters 8 and 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.grading import METRICS, Floats, number
from shared_model.metrics.predictions import Labels
from shared_model.records import GRADES

LEVEL = 0.95
MIN_DEFINED = 0.9  # share of the resamples in which a figure must exist before an interval is given
_BLOCK = 2**22  # patients x resamples drawn at once: bounds memory at about 60 MB whatever the data
_WIDE = 2**16  # samples x resamples weighed at once: several arrays of this size live together

Patients = NDArray[np.str_]


def intervals(
    truth: Labels, predicted: Labels, patients: Patients, resamples: int = 1000, seed: int = 0
) -> dict[str, list[float] | None]:
    """Percentile intervals (95 %) of each of METRICS, resampling the patients (N,) with replacement.

    Samples whose truth or prediction is -1 do not count. None with fewer than two patients, or where the
    figure is undefined in more than a tenth of the resamples.
    """
    known = (truth >= 0) & (predicted >= 0)
    counts = _per_patient([truth[known]], [predicted[known]], patients[known])
    drawn = _resample(counts, resamples, seed)[:, 0]  # (resamples, C, C)
    return {name: interval_of(metric(drawn), len(counts)) for name, metric in METRICS.items()}


def paired_difference(
    truth: Labels,
    predicted_a: Labels,
    predicted_bs: Sequence[Labels],
    patients: Patients,
    metric: str = "quadratic_weighted_kappa",
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """`metric` of a minus its mean over the b's, on the same samples and the same resamples of patients.

    Only samples that have a truth and a prediction of every model count, so the values can differ slightly
    from the models' own figures. Returns n, patients, value_a, value_b, difference, interval (95 %) and ratio
    (value_a / value_b, None unless value_b > 0); None wherever the data cannot support it.
    """
    models = [predicted_a, *predicted_bs]
    known = (truth >= 0) & np.all([predicted >= 0 for predicted in models], axis=0)
    counts = _per_patient(
        [truth[known]] * len(models), [predicted[known] for predicted in models], patients[known]
    )
    value = METRICS[metric](counts.sum(axis=0))  # (models,)
    drawn = METRICS[metric](_resample(counts, resamples, seed))  # (resamples, models)
    a, b = float(value[0]), float(value[1:].mean())
    return {
        "n": int(known.sum()),
        "patients": len(counts),
        "value_a": number(a),
        "value_b": number(b),
        "difference": number(a - b),
        "interval": interval_of(drawn[:, 0] - drawn[:, 1:].mean(axis=1), len(counts)),
        "ratio": number(a / b) if b > 0 else None,
    }


def difference_between(
    truth: Labels,
    predicted: Labels,
    patients: Patients,
    sides: NDArray[np.bool_],
    metric: str,
    resamples: int = 1000,
    seed: int = 0,
) -> list[float] | None:
    """Interval (95 %) of `metric` on the first group of samples minus that on the second.

    sides: (2, N), which samples are in each; both groups are resampled together. None as for `intervals`.
    """
    patient = np.unique(patients, return_inverse=True)[1]
    count = int(patient.max(initial=-1)) + 1
    counts = np.stack([cells_of(truth[s], predicted[s], patient[s], count) for s in sides], axis=1)
    drawn = METRICS[metric](_resample(counts, resamples, seed))  # (resamples, 2)
    return interval_of(drawn[:, 0] - drawn[:, 1], count)


def weighted(
    patients: Patients, statistic: Callable[[Floats], Floats], resamples: int = 1000, seed: int = 0
) -> tuple[Floats, int]:
    """Values of a statistic of weighted samples on every resample, and the number of patients.

    statistic: (R, N) weights, how often each sample was drawn, -> (R, …). For what no confusion matrix holds.
    """
    names, patient = np.unique(patients, return_inverse=True)
    rows = max(1, _WIDE // max(1, len(patients)))
    found = [
        statistic(weights[start : start + rows][:, patient])
        for weights in (_weights(len(names), resamples, seed) if len(names) else ())
        for start in range(0, len(weights), rows)
    ]
    return (np.concatenate(found) if found else np.full(resamples, np.nan)), len(names)


def _per_patient(truths: Sequence[Labels], predictions: Sequence[Labels], patients: Patients) -> Floats:
    """(P, models, C, C) confusion counts of each patient."""
    names, patient = np.unique(patients, return_inverse=True)
    pairs = zip(truths, predictions, strict=True)
    return np.stack([cells_of(truth, guess, patient, len(names)) for truth, guess in pairs], axis=1)


def cells_of(truth: Labels, predicted: Labels, patient: NDArray[np.intp], patients: int) -> Floats:
    """(P, C, C) confusion counts of samples whose patient is numbered from 0."""
    cells = GRADES * GRADES
    counts = np.bincount(patient * cells + truth * GRADES + predicted, minlength=patients * cells)
    return counts.reshape(patients, GRADES, GRADES).astype(np.float64)


def _resample(counts: Floats, resamples: int, seed: int) -> Floats:
    """(P, …) counts -> (resamples, …) sums over patients drawn with replacement."""
    if not len(counts):
        return np.zeros((resamples, *counts.shape[1:]))
    flat = counts.reshape(len(counts), -1)
    sums = [weights @ flat for weights in _weights(len(counts), resamples, seed)]
    return np.concatenate(sums).reshape(resamples, *counts.shape[1:])


def _weights(patients: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks of (block, P) multinomial counts: how often each patient was drawn in each resample."""
    if patients * resamples <= _BLOCK:  # one block, which the next figure of the same patients asks for again
        yield _drawn_once(patients, resamples, seed)
        return
    yield from _drawn(patients, resamples, seed)


@lru_cache(maxsize=4)
def _drawn_once(patients: int, resamples: int, seed: int) -> Floats:
    return np.concatenate(list(_drawn(patients, resamples, seed)))


def _drawn(patients: int, resamples: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // patients)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(patients, size=(rows, patients), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * patients
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(np.float64)


def interval_of(values: Floats, patients: int) -> list[float] | None:
    """The percentile interval (95 %) of resampled values (R,); None with fewer than two patients, or where the
    figure is undefined in more than a tenth of the resamples.
    """
    defined = values[np.isfinite(values)]
    if patients < 2 or len(defined) < MIN_DEFINED * len(values):
        return None
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(defined, [tail, 100.0 - tail])
    return [float(low), float(high)]
