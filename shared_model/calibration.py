"""What a model's probabilities are corrected by: a temperature for each task, kept beside the weights.

It is fitted on the validation patients of all sites from sums alone (shared_model.evaluation.temperature). A model
without one answers as it is, at a temperature of 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_model.errors import DataError
from shared_model.records import TASKS
from shared_model.statistics.reading import count, number

SCHEMA = "fedfundus.calibration/1"


@dataclass(frozen=True)
class Calibration:
    """temperature: task -> a number above 0, for the tasks that one was fitted for. examples: task -> validation
    photographs behind it.
    """

    temperature: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, int] = field(default_factory=dict)

    def of(self, task: str) -> float:
        """The temperature of a task, 1 where none was fitted."""
        return float(self.temperature.get(task, 1.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable: model/calibration.json."""
        return {
            "schema": SCHEMA,
            "temperature": dict(self.temperature),
            "examples": dict(self.examples),
        }

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Calibration:
        """The calibration of a model folder. Raises DataError for one that no fit could have written."""
        try:
            if message["schema"] != SCHEMA:
                raise ValueError("another schema")
            temperature = {str(task): number(value) for task, value in message["temperature"].items()}
            examples = {str(task): count(value) for task, value in message["examples"].items()}
            if not set(temperature) | set(examples) <= set(TASKS):
                raise ValueError("a task that does not exist")
            if not all(value > 0 for value in temperature.values()):
                raise ValueError("a temperature that is not above 0")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the temperatures cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="calibration.json",
                fix="copy the folder again, or remove the file to use the model as it is",
            ) from None
        return cls(temperature, examples)
