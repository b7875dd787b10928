"""Checks on what a site says beside its tensors: losses, loss weights, validation counts.

These go into the history, the schedule and the report; a malformed one must cost its site the round, not the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from shared_model.config.schema import LOSS_NAMES
from shared_model.records import GRADES, TASKS

LARGEST_COUNT = 2**31


def report_problem(fields: Mapping[str, Any]) -> str | None:
    """Why the fields of an answer to `train` may not be recorded, or None."""
    for name in ("loss", "seconds"):
        if not _number(fields.get(name)):
            return f"its {name} is not a number"
    for name in ("losses", "loss_weights"):
        given = fields.get(name)
        if not isinstance(given, Mapping) or not set(given) <= set(LOSS_NAMES):
            return f"its {name} are not those of the six losses"
        if not all(_number(value) for value in given.values()):
            return f"its {name} are not numbers"
    return validation_problem(fields.get("validation"))


def validation_problem(validation: Any) -> str | None:
    """Why a site's validation counts may not be pooled, or None."""
    if not isinstance(validation, Mapping) or not isinstance(validation.get("confusion"), Mapping):
        return "its validation counts are absent"
    if not _count(validation.get("examples")) or not _number(validation.get("loss_sum")):
        return "its validation counts are not numbers"
    for task in TASKS:
        matrix = validation["confusion"].get(task)
        if not _square(matrix):
            return f"its confusion matrix of {task} is not {GRADES} x {GRADES} counts"
    return None


def _square(matrix: Any) -> bool:
    return _list(matrix) and all(_list(row) and all(_count(cell) for cell in row) for row in matrix)


def _list(value: Any) -> bool:
    return isinstance(value, list) and len(value) == GRADES


def _number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float, which JSON can hold
        return False


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_COUNT
