"""What makes a model's scores mean something, kept beside the weights: temperatures and operating points.

Fitted on the validation patients of all sites from sums alone (shared_model.evaluation), first the temperatures, then
the points on the scores they correct. Both are fixed for all inputs together and for the photograph alone, whose
scores are others. A model without them answers as it is, and has no point at which its answer stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shared_model.errors import DataError
from shared_model.evaluation.site_figures import INPUTS
from shared_model.evaluation.temperature import GRID
from shared_model.operating_points import FEWEST, OperatingPoints
from shared_model.records import TASKS
from shared_model.statistics.reading import count, number

SCHEMA = "fedfundus.calibration/2"
_FIRST = "fedfundus.calibration/1"  # temperatures of all inputs together, and nothing else

Points = Mapping[str, Mapping[str, OperatingPoints]]  # task -> input of INPUTS


@dataclass(frozen=True)
class Calibration:
    """temperature, image_temperature: task -> a number above 0, for the tasks that one was fitted for, with all inputs
    and from the photograph alone. examples: task -> validation photographs behind them. points: task -> input ->
    operating points, where any were fitted. withheld: why points that were fitted are not here, else None.
    """

    temperature: Mapping[str, float] = field(default_factory=dict)
    examples: Mapping[str, int] = field(default_factory=dict)
    image_temperature: Mapping[str, float] = field(default_factory=dict)
    points: Points = field(default_factory=dict)
    withheld: str | None = None

    def of(self, task: str, given: str = "all") -> float:
        """The temperature of a task from an input of INPUTS, 1 where none was fitted."""
        fitted = self.image_temperature if given == "image" else self.temperature
        return float(fitted.get(task, 1.0))

    def points_of(self, task: str, given: str) -> OperatingPoints | None:
        """The operating points of a task from an input of INPUTS; None where none were fitted."""
        return self.points.get(task, {}).get(given)

    def why_unfitted(self, task: str, given: str = "all") -> str | None:
        """Why a task has no temperature from an input, None where it has one."""
        if task in (self.image_temperature if given == "image" else self.temperature):
            return None
        n = self.examples.get(task, 0)
        if n < FEWEST:
            return f"not fitted: fewer than {FEWEST} labelled validation photographs, {n} in all"
        return "not fitted: no site told of this input"

    def at_edge(self, task: str, given: str = "all") -> bool:
        """Whether the best temperature is the grid's lowest or highest, so that a better one may lie beyond it."""
        return self.why_unfitted(task, given) is None and self.of(task, given) in (GRID[0], GRID[-1])

    def at(self, points: Points) -> Calibration:
        """The same temperatures with these points."""
        return replace(self, points=points)

    def without_points(self, why: str) -> Calibration:
        """The same temperatures, the points withheld for a reason; unchanged where there are none."""
        return replace(self, points={}, withheld=why) if self.points else self

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable: model/calibration.json."""
        return {
            "schema": SCHEMA,
            "temperature": dict(self.temperature),
            "examples": dict(self.examples),
            "image_temperature": dict(self.image_temperature),
            "points": {
                task: {given: points.to_dict() for given, points in by_input.items()}
                for task, by_input in self.points.items()
            },
        }

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Calibration:
        """The calibration of a model folder. Raises DataError for one that no fit could have written."""
        try:
            return cls._parsed(message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the calibration cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="calibration.json",
                fix="copy the folder again, or remove the file to use the model as it is",
            ) from None

    @classmethod
    def _parsed(cls, message: Mapping[str, Any]) -> Calibration:
        if message["schema"] not in (SCHEMA, _FIRST):
            raise ValueError("another schema")
        examples = {_task(task): count(value) for task, value in message["examples"].items()}
        if message["schema"] == _FIRST:
            return cls(_temperatures(message["temperature"]), examples)
        points = {
            _task(task): {_input(given): OperatingPoints.from_dict(one) for given, one in by_input.items()}
            for task, by_input in message["points"].items()
        }
        return cls(
            _temperatures(message["temperature"]),
            examples,
            _temperatures(message["image_temperature"]),
            points,
        )


def _temperatures(message: Mapping[str, Any]) -> dict[str, float]:
    found = {_task(task): number(value) for task, value in message.items()}
    if not all(value > 0 for value in found.values()):
        raise ValueError("a temperature that is not above 0")
    return found


def _task(name: str) -> str:
    if name not in TASKS:
        raise ValueError("a task that does not exist")
    return name


def _input(name: str) -> str:
    if name not in INPUTS:
        raise ValueError("an input that does not exist")
    return name
