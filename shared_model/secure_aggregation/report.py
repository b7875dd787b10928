"""What a site says of its round beside the tensors, as whole numbers that are summed under masks like them.

Losses, confusion matrices, counts, and for each tensor the weight that counts for it (nothing, where the site could not
train it). Numbers are 64 bits; losses are multiples of 2**-20. The validation figures stand together, since they are
opened apart from the rest. The first number is 1 at every site, so that what
does not open to the number of its sites is no sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.config.schema import LOSS_NAMES
from shared_model.records import GRADES, TASKS

SCALE = 2.0**20
LARGEST_LOSS = 2.0**20  # of a mean loss or a loss weight
LARGEST_SUM = 2.0**34  # of a sum of losses over records
LARGEST_COUNT = 2**31
VALIDATION = slice(1, 3 + len(TASKS) * GRADES * GRADES)  # where the validation figures stand in a report


class ReportProblem(ValueError):
    """A report that cannot be masked, or that is no sum of reports."""


def nothing_validated() -> dict[str, Any]:
    """The validation figures of a site that says nothing of its validation patients."""
    none = [[0] * GRADES for _ in range(GRADES)]
    return {"examples": 0, "loss_sum": 0.0, "confusion": dict.fromkeys(TASKS, none)}


def length(tensors: int) -> int:
    """Numbers in a report. tensors: how many travel; 0 for an answer to `evaluate`."""
    return VALIDATION.stop + (2 + tensors + 4 * len(LOSS_NAMES) if tensors else 0)


def to_words(
    fields: Mapping[str, Any], weight: int, tensors: Iterable[str] = (), cut_off: int = 0
) -> NDArray[np.uint64]:
    """The report of an answer's fields. tensors: those that travel, none for `evaluate`. cut_off: numbers at bound.

    Raises ReportProblem for fields that are absent, not finite or too large.
    """
    names = list(tensors)
    numbers = [1, *_validation_numbers(fields.get("validation"))]
    if names:
        untrained = set(fields.get("untrained", ()))
        numbers += [cut_off, _scaled(fields.get("loss"), LARGEST_LOSS) * weight]
        numbers += [0 if name in untrained else weight for name in names]
        for what in ("losses", "loss_weights"):
            given = fields.get(what) or {}
            for name in LOSS_NAMES:
                known = name in given
                numbers += [
                    _scaled(given[name], LARGEST_LOSS) * weight if known else 0,
                    weight if known else 0,
                ]
    return np.array(numbers, dtype=np.int64).view(np.uint64).astype("<u8")


def from_words(
    words: NDArray[np.uint64], sites: int, total_weight: int, tensors: Iterable[str] = ()
) -> dict[str, Any]:
    """The sum of reports: `validation`, and of a round of training loss, losses, loss_weights, cut_off and weights.

    weights: tensor to the sum of the weights that count for it. loss: None where no site told any losses. sites,
    total_weight: of those in the sum. Means are weighted as the tensors are. Raises ReportProblem where it is no sum.
    """
    names, numbers = list(tensors), iter(words.astype(np.uint64).view(np.int64).tolist())
    if words.size != length(len(names)) or next(numbers) != sites:
        raise ReportProblem("does not open to a sum of its sites")
    found: dict[str, Any] = {"validation": _validation(numbers)}
    if names:
        found["cut_off"] = next(numbers)
        loss = next(numbers)
        found["weights"] = {name: next(numbers) for name in names}
        for what in ("losses", "loss_weights"):
            pairs = {name: (next(numbers), next(numbers)) for name in LOSS_NAMES}
            found[what] = {name: value / SCALE / known for name, (value, known) in pairs.items() if known}
        found["loss"] = loss / SCALE / total_weight if found["losses"] else None
        if found["cut_off"] < 0 or not all(0 <= w <= total_weight for w in found["weights"].values()):
            raise ReportProblem("does not open to a sum of its sites")
    return found


def _validation_numbers(validation: Any) -> list[int]:
    if not isinstance(validation, Mapping):
        raise ReportProblem("its validation counts are absent")
    cells = [_count(cell) for task in TASKS for row in validation["confusion"][task] for cell in row]
    return [_count(validation["examples"]), _scaled(validation["loss_sum"], LARGEST_SUM), *cells]


def _validation(numbers: Any) -> dict[str, Any]:
    examples, loss = next(numbers), next(numbers) / SCALE
    confusion = {task: [[next(numbers) for _ in range(GRADES)] for _ in range(GRADES)] for task in TASKS}
    cells = [cell for matrix in confusion.values() for row in matrix for cell in row]
    if examples < 0 or min(cells) < 0:
        raise ReportProblem("does not open to a sum of its sites")
    return {"examples": examples, "loss_sum": loss, "confusion": confusion}


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < LARGEST_COUNT:
        raise ReportProblem("a count is not one")
    return value


def _scaled(value: Any, largest: float) -> int:
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > largest:
        raise ReportProblem("a loss is not a number, or too large")
    return round(value * SCALE)
