"""The operating points of a model, from all sites' histograms of its calibrated scores on validation patients.

A threshold is one of the bins' edges and keeps its promise on these photographs however the merged cells are filled.
Where no edge surely does, or too few photographs say so, there is none, with the reason: a guess would be believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared_model.calibration import Calibration
from shared_model.evaluation import INPUTS, Histogram, Scores, ScoresAnswer
from shared_model.operating_points import (
    ACCURACY,
    FEWEST,
    SENSITIVITY,
    SPECIFICITY,
    OperatingPoints,
    Threshold,
)
from shared_model.records import TASKS


def fit_points(calibration: Calibration, messages: Iterable[Mapping[str, Any]]) -> Calibration:
    """The calibration with the operating points of all sites' answers (ScoresAnswer.to_dict), in any order.

    calibration: the one that the sites were given. A task and input that no site answered has no points. Raises
    DataError for a malformed answer.
    """
    answers = [ScoresAnswer.from_dict(message) for message in messages]
    points = {}
    for task in TASKS:
        told = {given: _told(answers, task, given) for given in INPUTS}
        fitted = {given: _points(scores) for given, scores in told.items() if scores}
        if fitted:
            points[task] = fitted
    return calibration.at(points)


def _told(answers: Iterable[ScoresAnswer], task: str, given: str) -> list[Scores]:
    return [one for answer in answers if (by := answer.tasks[task]) and (one := by[given]) is not None]


def _points(told: list[Scores]) -> OperatingPoints:
    referable = [scores.referable for scores in told if scores.referable is not None]
    right = [scores.right for scores in told if scores.right is not None]
    scores = Histogram.of([pair[0] for pair in referable], [pair[1] for pair in referable])
    confidence = Histogram.of([pair[0] for pair in right], [pair[1] for pair in right])
    return OperatingPoints(_confidence(confidence), _clear(scores), _refer(scores))


def _confidence(histogram: Histogram) -> Threshold:
    n = histogram.positives + histogram.negatives
    found = histogram.trusts(ACCURACY, FEWEST) if n >= FEWEST else None
    if found is not None:
        return Threshold(found[0], ACCURACY, found[1], found[2])
    why = f"no {FEWEST} most certain of {n} validation photographs are surely right at {ACCURACY:.0%}"
    return Threshold(None, ACCURACY, None, n, why if n >= FEWEST else _few(n, "validation"))


def _clear(histogram: Histogram) -> Threshold:
    n = histogram.positives
    found = histogram.clears(SENSITIVITY) if n >= FEWEST else None
    if found is not None:
        return Threshold(found[0], SENSITIVITY, found[1], n)
    why = f"nobody can be cleared with {SENSITIVITY:.0%} of {n} referable validation photographs surely kept"
    return Threshold(None, SENSITIVITY, None, n, why if n >= FEWEST else _few(n, "referable validation"))


def _refer(histogram: Histogram) -> Threshold:
    n = histogram.negatives
    found = histogram.sensitivity_at(SPECIFICITY) if n >= FEWEST and histogram.positives else None
    if found is not None and found[1] is not None:
        return Threshold(found[1], SPECIFICITY, histogram.spared(found[1]), n)
    why = f"nobody can be referred with {SPECIFICITY:.0%} of {n} other validation photographs surely spared"
    return Threshold(None, SPECIFICITY, None, n, why if n >= FEWEST else _few(n, "non-referable validation"))


def _few(n: int, what: str) -> str:
    return f"the sites tell of {n} {what} photographs; at least {FEWEST} are needed"
