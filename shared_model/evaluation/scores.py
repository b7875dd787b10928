"""The message from which operating points are fixed: histograms of calibrated scores on validation patients.

Asked for after the temperatures are known, since the points are on the scores they correct. Two pairs of histograms
for each input: the probability of referable retinopathy of referable and of other photographs, and the confidence of
right and of wrong grades; in the bins of shared_model.evaluation.histogram, cells of few patients merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.errors import DataError
from shared_model.evaluation.histogram import BINS
from shared_model.evaluation.site_figures import INPUTS
from shared_model.evaluation.temperature import REASONS
from shared_model.records import TASKS
from shared_model.statistics import Counts

SCHEMA = "fedfundus.scores/1"

Pair = tuple[Counts, Counts]


@dataclass(frozen=True)
class Scores:
    """One task from one input. referable: scores of referable and of other photographs; right: confidence of right and
    of wrong grades. Each None where one side rests on too few patients.
    """

    referable: Pair | None
    right: Pair | None

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        return {
            name: None if pair is None else [c.to_dict() for c in pair] for name, pair in vars(self).items()
        }

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Scores:
        """The scores in a message. Raises KeyError, ValueError or TypeError for malformed ones."""
        return cls(_pair(message["referable"]), _pair(message["right"]))

    @property
    def totals(self) -> set[int]:
        """How many photographs each pair is of."""
        return {sum(c.total for c in pair) for pair in (self.referable, self.right) if pair is not None}


@dataclass(frozen=True)
class ScoresAnswer:
    """One site's answer. tasks: task -> input -> scores, None where absent and for an input that the model does not
    read. absent: task -> one of REASONS (shared_model.evaluation.temperature).
    """

    tasks: Mapping[str, Mapping[str, Scores | None] | None]
    absent: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The message that travels: plain, JSON-serialisable, always of the same keys."""
        tasks = {
            task: None if (by := self.tasks[task]) is None else {g: _plain(by[g]) for g in INPUTS}
            for task in TASKS
        }
        return {"schema": SCHEMA, "tasks": tasks, "absent": dict(self.absent)}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> ScoresAnswer:
        """The answer in a message. Raises DataError for one that no site could truthfully send."""
        try:
            if message["schema"] != SCHEMA:
                raise ValueError("another schema")
            tasks = {task: _task(message["tasks"][task]) for task in TASKS}
            absent = {str(task): str(why) for task, why in message["absent"].items()}
            if {task for task in TASKS if tasks[task] is None} != set(absent):
                raise ValueError("what is absent and the reasons given do not fit")
            if not set(absent.values()) <= set(REASONS):
                raise ValueError("a reason that does not exist")
            return cls(tasks, absent)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
            raise DataError(
                f"a site's scores cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="operating points",
                fix="run the same version of FedFundus at the site and at the coordinator",
            ) from None


def _plain(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else scores.to_dict()


def _task(message: Mapping[str, Any] | None) -> dict[str, Scores | None] | None:
    if message is None:
        return None
    found = {given: None if (one := message[given]) is None else Scores.from_dict(one) for given in INPUTS}
    if len(set[int]().union(*(scores.totals for scores in found.values() if scores is not None))) > 1:
        raise ValueError("the histograms are of another number of photographs")
    return found


def _pair(message: Any) -> Pair | None:
    if message is None:
        return None
    first, second = message
    return Counts.from_dict(first, BINS), Counts.from_dict(second, BINS)
