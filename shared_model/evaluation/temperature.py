"""The message from which a temperature is fitted: how well each of a grid of temperatures explains a site's labels.

Means over at least the site's minimum of validation patients, each photograph's loss bounded by LARGEST_LOSS and
the mean rounded to DECIMALS, so that no more digits leave than the minimum needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.errors import DataError
from shared_model.metrics.calibration import LARGEST_LOSS
from shared_model.records import TASKS
from shared_model.statistics.reading import count, numbers

GRID = tuple(2.0 ** (step / 8) for step in range(-16, 25))  # 1/4 to 8, with 1 among them
DECIMALS = 4
REASONS = {
    "too_few_patients": "it would rest on fewer patients than the site's minimum",
    "no_labels": "no validation photograph has a label",
    "broken_scores": "a probability is not a number",
}


@dataclass(frozen=True)
class TemperatureAnswer:
    """One site's answer. examples: task -> labelled validation photographs; losses, image_losses: task ->
    (len(GRID),) mean loss in nats with all inputs and from the photograph alone; None where absent, the latter also
    for a model that reads no photographs. absent: task -> one of REASONS.
    """

    examples: Mapping[str, int | None]
    losses: Mapping[str, tuple[float, ...] | None]
    image_losses: Mapping[str, tuple[float, ...] | None]
    absent: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable, always of the same keys."""
        return {
            "examples": {task: self.examples[task] for task in TASKS},
            "losses": _plain(self.losses),
            "image_losses": _plain(self.image_losses),
            "absent": dict(self.absent),
        }

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> TemperatureAnswer:
        """The answer in a message. Raises DataError for one that no site could truthfully send."""
        try:
            examples = {task: _optional(message["examples"][task]) for task in TASKS}
            losses = {task: _losses(message["losses"][task]) for task in TASKS}
            image_losses = {task: _losses(message["image_losses"][task]) for task in TASKS}
            answer = cls(examples, losses, image_losses, dict(message["absent"]))
            missing = {task for task in TASKS if losses[task] is None}
            if missing != set(answer.absent) or missing != {t for t in TASKS if examples[t] is None}:
                raise ValueError("what is absent and the reasons given do not fit")
            if any(image_losses[task] is not None for task in missing):
                raise ValueError("losses of a task that is absent")
            if not set(answer.absent.values()) <= set(REASONS):
                raise ValueError("a reason that does not exist")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(
                f"a site's losses cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="temperature",
                fix="run the same version of FedFundus at the site and at the coordinator",
            ) from None
        return answer


def _plain(losses: Mapping[str, tuple[float, ...] | None]) -> dict[str, list[float] | None]:
    return {task: None if (row := losses[task]) is None else list(row) for task in TASKS}


def _optional(value: Any) -> int | None:
    if value is None:
        return None
    if not count(value):
        raise ValueError("a mean of nothing")
    return count(value)


def _losses(values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    found = numbers(values, len(GRID))
    if not all(0 <= value <= LARGEST_LOSS for value in found):
        raise ValueError("a loss out of its bounds")
    return found
