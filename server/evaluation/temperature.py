"""The temperature that explains all sites' validation labels best: the lowest point of their summed losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from shared_model.calibration import Calibration
from shared_model.evaluation import GRID, TemperatureAnswer
from shared_model.records import TASKS


def fit_temperature(messages: Iterable[Mapping[str, Any]]) -> Calibration:
    """The calibration of all sites' answers (TemperatureAnswer.to_dict), the same whatever their order.

    Of equally good temperatures the one nearest to 1; a task that no site answered has none. Raises DataError for
    a malformed answer.
    """
    answers = [TemperatureAnswer.from_dict(message) for message in messages]
    found: dict[str, float] = {}
    examples: dict[str, int] = {}
    for task in TASKS:
        told = [(n, row) for a in answers if (n := a.examples[task]) and (row := a.losses[task]) is not None]
        if told:
            total = [math.fsum(n * row[step] for n, row in told) for step in range(len(GRID))]
            found[task] = min(zip(total, GRID, strict=True), key=lambda at: (at[0], abs(math.log(at[1]))))[1]
            examples[task] = sum(n for n, _ in told)
    return Calibration(found, examples)
