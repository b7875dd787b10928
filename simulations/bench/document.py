"""The figures as one JSON document and as a table.

SECTION.KEY of the document is the figure itself; `runs`, `goals`, `reached`, `what` and `details` of the same section
hold the rest of it by key, so that a script can read a figure by its path.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared_model.version import PACKAGE_VERSION
from simulations.bench.figure import Figure, Measured

SCHEMA = 1
LOG_WIDTH = 140  # columns, where the output is a file and not a terminal


def document(found: Mapping[str, Measured | None], *, full: bool) -> dict[str, Any]:
    """Every figure of these benchmarks; `failed` names those that ended without one."""
    sections: dict[str, Any] = {}
    for measured in found.values():
        for figure in measured.figures if measured else ():
            section, key = figure.name.split(".")
            entry = sections.setdefault(
                section, {"runs": {}, "goals": {}, "reached": {}, "what": {}, "details": {}}
            )
            entry[key] = figure.value
            entry["runs"][key] = list(figure.runs)
            entry["goals"][key] = figure.goal
            entry["reached"][key] = figure.reached
            entry["what"][key] = figure.what
            entry["details"][key] = dict(figure.details)
    facts: dict[str, Any] = {}
    for measured in found.values():
        facts |= dict(measured.facts) if measured else {}
    return {
        "schema": SCHEMA,
        "full": full,
        "package_version": PACKAGE_VERSION,
        "machine": {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()},
        "failed": [name for name, measured in found.items() if measured is None],
        **facts,
        **sections,
        "profile": {name: dict(m.profile) for name, m in found.items() if m and m.profile},
    }


def show(found: Mapping[str, Measured | None], console: Console | None = None) -> None:
    """The table, then where the time goes."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=LOG_WIDTH, file=console.file)
    table = Table(title="Benchmarks: medians of their runs", title_justify="left", show_lines=True)
    table.add_column("figure", no_wrap=True)
    for heading in ("measured", "runs", "goal", "reached"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what against what")
    for measured in found.values():
        for figure in measured.figures if measured else ():
            table.add_row(*_row(figure))
    console.print(table)
    for name, measured in found.items():
        if measured is None:
            console.print(f"{name}: ended without a figure; see above")
            continue
        for heading, lines in measured.profile.items():
            console.print(f"\n{escape(heading)}")
            for line in lines:
                console.print(f"  {escape(line)}", soft_wrap=True)


def _row(figure: Figure) -> Sequence[str]:
    spread = (
        ""
        if len(figure.runs) == 1
        else f"{_shown(min(figure.runs), figure)} to {_shown(max(figure.runs), figure)}"
    )
    goal = (
        ""
        if figure.goal is None
        else f"{'>=' if figure.better == 'higher' else '<='} {_shown(figure.goal, figure)}"
    )
    reached = {True: "yes", False: "no", None: "-"}[figure.reached]
    return figure.name, _shown(figure.value, figure), spread, goal, reached, escape(figure.what)


def _shown(value: float, figure: Figure) -> str:
    if figure.unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.3g}{figure.unit}" if abs(value) >= 10 else f"{value:.3f}{figure.unit}"


def _processor() -> str:
    """As the system names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
