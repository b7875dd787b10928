"""The temperature that explains all sites' validation labels best: the lowest point of their summed losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared_model.calibration import Calibration
from shared_model.evaluation import GRID, INPUTS, TemperatureAnswer
from shared_model.operating_points import FEWEST
from shared_model.records import TASKS


def fit_temperature(messages: Iterable[Mapping[str, Any]]) -> Calibration:
    """The calibration of all sites' answers (TemperatureAnswer.to_dict), the same whatever their order.

    Of equally good temperatures the one nearest to 1. One is fitted with all inputs and one from the photograph alone;
    a task that fewer than FEWEST labelled validation photographs tell of has none (Calibration.why_unfitted), since of
    so few the lowest loss is luck. Raises DataError for a malformed answer.
    """
    answers = [TemperatureAnswer.from_dict(message) for message in messages]
    fitted: dict[str, dict[str, float]] = {given: {} for given in INPUTS}
    examples: dict[str, int] = {}
    for task in TASKS:
        if told_of := sum(n for a in answers if (n := a.examples[task])):
            examples[task] = told_of
        for given in INPUTS if told_of >= FEWEST else ():
            told = [
                (n, row)
                for a in answers
                if (n := a.examples[task])
                and (row := (a.losses if given == "all" else a.image_losses)[task]) is not None
            ]
            if told:
                fitted[given][task] = _lowest(told)
    return Calibration(fitted["all"], examples, fitted["image"])


def _lowest(told: Sequence[tuple[int, Sequence[float]]]) -> float:
    total = [math.fsum(n * row[step] for n, row in told) for step in range(len(GRID))]
    best: float = min(zip(total, GRID, strict=True), key=lambda at: (at[0], abs(math.log(at[1]))))[1]
    return best
