"""Whether the model serves everybody alike: kappa of every subgroup on one axis, and the gaps between them.

A gap is set against what chance makes of the same groups, never against the interval of two that were picked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.metrics.document import EVERY_SITE, KAPPA
from shared_model.metrics.subgroups import SUBGROUPS
from shared_model.metrics.summary import Figure, figure
from shared_model.report.strips import Heading, Line, strips
from shared_model.report.verdict import decimal, with_interval

NAMES = {"sex": "Sex", "age": "Age", "camera": "Camera", "eye": "Eye", "centre": "Centre"}
_AGES = {"under 45": 0, "45 to 59": 1, "60 to 74": 2, "75 and above": 3}


def forest(document: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A heading an attribute with its gap, a line a group; the reference is the kappa of all photographs."""
    overall = figure(document["models"]["federated"][EVERY_SITE][task])
    lines: list[Line | Heading] = [Line("All photographs", "", overall.value, overall.interval)]
    for name in SUBGROUPS:
        found = document["subgroups"][task][name]
        lines.append(Heading(NAMES[name], _gap(found)))
        lines += [_line(group) for group in sorted(found["groups"], key=lambda g: _AGES.get(g["group"], 0))]
    drawn = strips(lines, overall.value)
    return drawn | {"available": overall.value is not None}


def worst_site(document: Mapping[str, Any], task: str) -> str:
    """The site that the model serves worst, in words; empty where sites cannot be compared."""
    gap = document["subgroups"][task]["centre"]["gaps"][KAPPA]
    if gap["worst"] is None:
        return ""
    groups = {group["group"]: group for group in document["subgroups"][task]["centre"]["groups"]}
    worst = groups[gap["worst"]]
    interval = worst["intervals"][KAPPA]
    kappa = Figure(worst[KAPPA], tuple(interval) if interval else None)
    shown = with_interval(kappa.value or 0.0, kappa.interval)
    if gap["more_than_chance"]:
        return f"The site it serves worst is {gap['worst']}, at {shown}."
    return f"Lowest is {gap['worst']}, at {shown}; that it serves that site worse is not shown."


def _line(group: Mapping[str, Any]) -> Line:
    patients = f"{group['patients']:,} patient{'' if group['patients'] == 1 else 's'}"
    small = f"{group['n']:,} photograph{'' if group['n'] == 1 else 's'}, {patients}"
    if not group["compared"]:
        small += ": too few to compare"
    why = "one grade only" if group[KAPPA] is None else ""
    return Line(group["group"], small, group[KAPPA], group["intervals"][KAPPA], why, group["compared"])


def _gap(found: Mapping[str, Any]) -> str:
    gap = found["gaps"][KAPPA]
    missing = f"; not known for {found['missing']:,}" if found["missing"] and found["groups"] else ""
    if gap["gap"] is None:
        return f"not available: {found['unavailable'] or 'no kappa to compare'}{missing}"
    said = f"gap {decimal(gap['gap'])} between {gap['best']} and {gap['worst']}"
    if gap["untested"]:
        return f"{said}, not tested: {gap['untested']}{missing}"
    limit = decimal(gap["chance"])
    if gap["more_than_chance"]:
        return f"{said}: more than chance would make (up to {limit}, p = {gap['p']:.3f}){missing}"
    return f"{said}; chance alone gives up to {limit}{missing}"
