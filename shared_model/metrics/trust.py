"""How far a grade can be trusted: calibration before and after the temperature, and what to hand to a person.

The uncertainty of a case is one minus its calibrated confidence. Two alternatives stand beside it, measured on
the risk-coverage curve and never chosen on the records they are measured on: how widely the probable grades
scatter, and whether the photograph alone says the same as all inputs together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.calibration import calibrated, calibration_figures
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import MISSING, Predictions
from shared_model.metrics.referral import LEVELS, area, area_figures, referral, risk_coverage
from shared_model.records import GRADES, TASKS

UNCERTAINTIES = ("confidence", "scatter", "disagreement")  # the first is the one in use


def uncertainty(probabilities: Floats, image: Floats | None = None) -> dict[str, Floats]:
    """(N,) for each of UNCERTAINTIES, larger being less certain. probabilities, image: (N, 5), calibrated, with all
    inputs and from the photograph alone.

    confidence: 1 - the largest probability. scatter: variance of the grade. disagreement: 1 - the geometric mean
    of what both say of the predicted grade; without `image` the same as confidence.
    """
    grades = np.arange(GRADES)
    largest = probabilities.max(axis=1)
    mean = probabilities @ grades
    own = (probabilities if image is None else image)[np.arange(len(largest)), probabilities.argmax(axis=1)]
    return {
        "confidence": 1.0 - largest,
        "scatter": probabilities @ grades**2 - mean**2,
        "disagreement": 1.0 - np.sqrt(largest * own),
    }


def trust(
    predictions: Predictions,
    temperatures: Mapping[str, float | Floats],
    resamples: int = 1000,
    seed: int = 0,
    *,
    image_temperatures: Mapping[str, float | Floats] | None = None,
) -> dict[str, Any]:
    """`trust` of the document. temperatures: task -> one number or one a sample (a cross-validation has a model a
    fold), with all inputs; image_temperatures: from the photograph alone, whose scores are others. A task without
    one has 1, which changes nothing.
    """
    alone = image_temperatures or {}
    return {
        task: {
            "temperature": float(np.mean(temperatures.get(task, 1.0))),
            "fitted": task in temperatures,
            "calibration": _calibration(predictions, task, temperatures.get(task, 1.0), (resamples, seed)),
            **_selective(
                predictions, task, temperatures.get(task, 1.0), alone.get(task, 1.0), (resamples, seed)
            ),
        }
        for task in TASKS
    }


def _calibration(
    predictions: Predictions, task: str, temperature: float | Floats, resampling: tuple[int, int]
) -> dict[str, Any]:
    resamples, seed = resampling
    return {
        when: calibration_figures(predictions, task, value, resamples=resamples, seed=seed)
        for when, value in (("before", 1.0), ("after", temperature))
    }


def _selective(
    predictions: Predictions,
    task: str,
    temperature: float | Floats,
    image_temperature: float | Floats,
    resampling: tuple[int, int],
) -> dict[str, Any]:
    truth, raw = predictions.labels(task), predictions.scores(task, "all")
    known = (truth != MISSING) & np.isfinite(raw).all(axis=1)
    if not known.any():
        nothing = dict.fromkeys(("uncertainty", "order_by", "better", "risk_coverage", "referral"))
        return {**nothing, "unavailable": predictions.why_ungraded(task, "all")}
    probabilities = calibrated(raw[known], _of(temperature, known))
    alone = predictions.scores(task, "image")[known]
    image = calibrated(alone, _of(image_temperature, known)) if np.isfinite(alone).all() else None
    ways = uncertainty(probabilities, image)
    wrong, patients = probabilities.argmax(axis=1) != truth[known], predictions.patient[known]
    figures = area_figures(ways, wrong, patients, *resampling)
    confidence = ways["confidence"]
    return {
        "uncertainty": figures,
        "order_by": UNCERTAINTIES[0],
        "better": [n for n, f in figures.items() if (i := f["difference_interval"]) and i[1] < 0],
        "risk_coverage": {
            **risk_coverage(confidence, wrong),
            "aurc": figures["confidence"]["aurc"],
            "aurc_at_random": float(wrong.mean()),
            "aurc_at_best": float(area(wrong.astype(np.float64), wrong)[0]),
            "n": len(wrong),
        },
        "referral": [referral(confidence, wrong, patients, level, resampling[1]) for level in LEVELS],
        "unavailable": None,
    }


def _of(temperature: float | Floats, known: NDArray[np.bool_]) -> float | Floats:
    """One number for all, or those of the samples that are known."""
    return np.asarray(temperature)[known] if np.ndim(temperature) else temperature
