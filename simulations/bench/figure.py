"""What a benchmark gives: a ratio or a size, its runs, and the goal that it is held against.

A figure names what it was measured against in words a reader understands, since a ratio alone says nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Figure:
    """One measured number.

    name: SECTION.KEY, as the JSON document nests it. runs: one value a repetition; the figure is their median.
    what: the sentence that says what is set against what, with sizes. unit: "x" for a ratio, "bytes", "s", "" for a
    share. goal: None where the figure is only told; better: on which side of it the figure should lie. details:
    whatever else was measured in the same runs (JSON values). applies: False where the goal is of other sizes than
    these, as in a short run of a figure whose goal is of the full-size model; then nothing is reached or missed.
    """

    name: str
    runs: tuple[float, ...]
    what: str
    unit: str = "x"
    goal: float | None = None
    better: Better = "higher"
    details: Mapping[str, Any] = field(default_factory=dict)
    applies: bool = True

    def __post_init__(self) -> None:
        section, _, key = self.name.partition(".")
        if not section or not key or "." in key:
            raise ValueError(f"{self.name!r} is not SECTION.KEY")
        if not self.runs:
            raise ValueError(f"{self.name} was not measured")

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none for these sizes."""
        if self.goal is None or not self.applies:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def entry(self) -> dict[str, Any]:
        """As JSON, with everything that `from_entry` needs."""
        return {
            "name": self.name,
            "runs": list(self.runs),
            "what": self.what,
            "unit": self.unit,
            "goal": self.goal,
            "better": self.better,
            "details": dict(self.details),
            "applies": self.applies,
        }

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Figure:
        """The figure that `entry` gave."""
        return cls(**{**entry, "runs": tuple(entry["runs"])})


@dataclass(frozen=True)
class Measured:
    """What one benchmark found. profile: heading -> lines of where the time goes, printed below the table.

    facts: top-level keys of the document, for what is of this machine and not of one figure (`bf16`).
    """

    figures: Sequence[Figure]
    profile: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON, for the way from the benchmark's process to ours."""
        return {
            "figures": [figure.entry() for figure in self.figures],
            "profile": {heading: list(lines) for heading, lines in self.profile.items()},
            "facts": dict(self.facts),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Measured:
        """What `document` gave."""
        figures = [Figure.from_entry(entry) for entry in document["figures"]]
        return cls(figures, document["profile"], document["facts"])
