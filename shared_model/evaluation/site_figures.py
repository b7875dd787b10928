"""What a site says about a model on its own test patients: a merged confusion matrix and two histograms.

Merging goes down a tree, so that no two tables can be subtracted to a few patients: first whether a photograph is
referable, then groups of true grades within either side, then, within each group, groups of predicted grades; and
within either side, groups of score bins. Every figure about one input is of the same photographs as about the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.errors import DataError
from shared_model.evaluation.histogram import BINS
from shared_model.records import GRADES, TASKS
from shared_model.statistics import Counts
from shared_model.statistics.reading import count

SCHEMA = "fedfundus.site_figures/1"
INPUTS = ("all", "image")  # what every record has: with a note, or a form, the missing ones could be counted
REASONS = {
    "too_few_patients": "it would rest on fewer patients than the site's minimum",
    "no_labels": "no test photograph has a label",
    "no_patients": "the site has no test patients",
    "broken_scores": "a probability is not a number",
}


@dataclass(frozen=True)
class Confusion:
    """starts: the first true grade of each group, ascending from 0; rows: of each group, its predicted grades."""

    starts: tuple[int, ...]
    rows: tuple[Counts, ...]

    @property
    def total(self) -> int:
        """Photographs."""
        return sum(row.total for row in self.rows)

    @property
    def merged(self) -> bool:
        """Whether any cells were added together."""
        return len(self.starts) < GRADES or any(row.merged for row in self.rows)

    def blocks(self) -> Iterator[tuple[slice, slice, int]]:
        """(true grades, predicted grades, count) of every group of cells."""
        ends = (*self.starts[1:], GRADES)
        for first, end, row in zip(self.starts, ends, self.rows, strict=True):
            for a, b, n in row.groups():
                yield slice(first, end), slice(a, b + 1), n

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        return {"starts": list(self.starts), "rows": [row.to_dict() for row in self.rows]}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Confusion:
        """The matrix in a message. Raises KeyError, ValueError or TypeError for a malformed one."""
        starts = tuple(count(start) for start in message["starts"])
        rows = tuple(Counts.from_dict(row, GRADES) for row in message["rows"])
        if list(starts) != sorted(set(starts)) or starts[:1] != (0,) or starts[-1] >= GRADES:
            raise ValueError("the groups of true grades do not fit")
        if len(rows) != len(starts):
            raise ValueError("a group of true grades without its row")
        return cls(starts, rows)


@dataclass(frozen=True)
class TaskFigures:
    """One task from one input. positive, negative: scores of referable and other photographs (BINS), None where
    either side rests on too few patients.
    """

    confusion: Confusion
    positive: Counts | None
    negative: Counts | None

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        sides = {"positive": self.positive, "negative": self.negative}
        tables = {name: None if table is None else table.to_dict() for name, table in sides.items()}
        return {"confusion": self.confusion.to_dict(), **tables}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> TaskFigures:
        """The figures in a message. Raises KeyError, ValueError or TypeError for malformed ones."""
        sides = [message["positive"], message["negative"]]
        tables = [None if side is None else Counts.from_dict(side, BINS) for side in sides]
        found = cls(Confusion.from_dict(message["confusion"]), *tables)
        if (found.positive is None) != (found.negative is None):
            raise ValueError("one side of the scores only")
        told = [side.total for side in (found.positive, found.negative) if side is not None]
        if told and sum(told) != found.confusion.total:
            raise ValueError("scores and grades are of another number of photographs")
        return found


@dataclass(frozen=True)
class SiteFigures:
    """One site's answer. minimum: patients behind a count. tasks: task -> input -> figures, None where absent
    and for an input that the model does not read.
    absent: task -> one of REASONS.
    """

    minimum: int
    tasks: Mapping[str, Mapping[str, TaskFigures | None] | None]
    absent: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The message that travels: plain, JSON-serialisable, always of the same keys."""
        tasks = {
            task: None if (by := self.tasks[task]) is None else {g: _plain(by[g]) for g in INPUTS}
            for task in TASKS
        }
        return {"schema": SCHEMA, "minimum": self.minimum, "tasks": tasks, "absent": dict(self.absent)}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> SiteFigures:
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
            return cls(count(message["minimum"]), tasks, absent)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
            raise DataError(
                f"a site's figures cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="evaluation",
                fix="run the same version of FedFundus at the site and at the coordinator",
            ) from None


def _plain(figures: TaskFigures | None) -> dict[str, Any] | None:
    return None if figures is None else figures.to_dict()


def _task(message: Mapping[str, Any] | None) -> dict[str, TaskFigures | None] | None:
    if message is None:
        return None
    found = {g: None if (one := message[g]) is None else TaskFigures.from_dict(one) for g in INPUTS}
    if len({figures.confusion.total for figures in found.values() if figures is not None}) != 1:
        raise ValueError("the inputs are about another number of photographs")
    return found
