"""Values with their intervals as lines on one common axis: what a forest plot is made of.

Positions are percentages, so that a browser draws it at any width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared_model.report.verdict import with_interval

Place = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """A value, what it is, and its interval; without a value `absent` says why. `sure`: drawn as a full dot."""

    label: str
    small: str = ""
    value: float | None = None
    interval: Sequence[float] | None = None
    absent: str = ""
    sure: bool = True


@dataclass(frozen=True)
class Heading:
    """A line that names those below it."""

    heading: str
    small: str = ""


def strips(lines: Sequence[Line | Heading], reference: float | None, signed: bool = False) -> dict[str, Any]:
    """What the macro of the same name draws: rows, ticks, the line of `reference`, and whether there is a value."""
    known = [line for line in lines if isinstance(line, Line) and line.value is not None]
    place, ticks = axis(
        [
            *([] if reference is None else [reference]),
            *(bound for line in known for bound in (line.value or 0.0, *(line.interval or ()))),
        ]
    )
    return {
        "zero": None if reference is None else place(reference),
        "ticks": [{"at": place(tick), "text": tick_text(tick, signed)} for tick in ticks],
        "rows": [_row(line, place, signed) for line in lines],
        "available": bool(known),
    }


def axis(bounds: Sequence[float]) -> tuple[Place, list[float]]:
    """Placement in percent of an axis that holds every bound, and at most five round ticks on it."""
    least, most = min(bounds, default=0.0), max(bounds, default=0.0)
    margin = 0.04 * (most - least) or 0.1
    low, high = least - margin, most + margin
    step = next((s for s in (0.05, 0.1, 0.2, 0.25, 0.5) if (high - low) / s <= 5), 1.0)
    ticks = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return lambda value: f"{100 * (value - low) / (high - low):.2f}", ticks


def tick_text(value: float, signed: bool = True) -> str:
    """A tick in as few digits as it has, with a true minus sign."""
    shown = f"{round(value, 2):{'+' if signed else ''}g}".replace("-", "−")
    return shown if round(value, 2) else "0"


def _row(line: Line | Heading, place: Place, signed: bool) -> dict[str, Any]:
    if isinstance(line, Heading):
        return {"heading": line.heading, "small": line.small}
    row: dict[str, Any] = {"label": line.label, "small": line.small, "text": "", "excludes_zero": line.sure}
    if line.value is None:
        return row | ({"absent": line.absent} if line.absent else {})
    interval = line.interval if line.interval and line.interval[0] != line.interval[1] else None
    row |= {"at": place(line.value), "text": with_interval(line.value, interval, signed)}
    if interval:
        row |= {"low": place(interval[0]), "high": place(interval[1])}
    return row


def difference_line(label: str, small: str, found: dict[str, Any]) -> Line:
    """A paired difference; the dot is full where its interval excludes 0."""
    interval = found["interval"]
    sure = bool(interval) and (interval[0] > 0 or interval[1] < 0)
    return Line(label, small, found["difference"], interval, sure=sure)
