"""The marks of `check` on a screen: a table a folder, a line a kind, and below it what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from simulations.dirt.accuracy import Marked
from simulations.dirt.truth import CERTAIN, UNCLAIMED

WIDTH = 110  # of a log file
SHOWN = 4  # missed or falsely named records that are listed


def show(marked: Sequence[Marked]) -> None:
    """Print the marks of every folder, and whether the claims hold."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH, color_system=None)
    for one in marked:
        console.print(_table(one))
        for score in one.scores:
            for word, names in (("missed", score.missed), ("false alarm", score.false_alarms)):
                if names:
                    more = f" ... ({len(names) - SHOWN} more)" if len(names) > SHOWN else ""
                    console.print(f"  {score.kind}: {word}: {'; '.join(names[:SHOWN])}{more}", markup=False)
        _remarks(console, one)
    failing = [f"{one.name}: {score.kind}" for one in marked for score in one.scores if not score.holds]
    console.print(f"claims that fail: {', '.join(failing)}" if failing else "every claim holds", markup=False)


def _remarks(console: Console, one: Marked) -> None:
    console.print(
        f"  clean rows set aside: {len(one.condemned)} {' '.join(one.condemned[:SHOWN])}", markup=False
    )
    if one.flagged:
        said = ", ".join(
            f"{kind} {count} ({count / one.photographs:.1%})" for kind, count in one.flagged.items()
        )
        console.print(f"  judged: {said}", markup=False)
    if one.unknown:
        console.print(
            f"  said besides: {', '.join(f'{k} {n}' for k, n in one.unknown.items())}", markup=False
        )


def _table(one: Marked) -> Table:
    table = Table(title=f"{one.name}: {one.photographs} records", title_justify="left", box=None)
    for heading in (
        "kind",
        "claim",
        "planted",
        "found",
        "missed",
        "false",
        "precision",
        "recall",
        "set aside",
        "",
    ):
        left = heading in ("kind", "claim", "")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading == "kind")
    for score in one.scores:
        counts = (score.planted, score.found, len(score.missed), len(score.false_alarms))
        shares = (f"{score.precision:.3f}", f"{score.recall:.3f}")
        claim = "all" if score.kind in CERTAIN else "none" if score.kind in UNCLAIMED else "0.95"
        holds = "" if score.holds else "FAILS"
        table.add_row(score.kind, claim, *map(str, counts), *shares, str(score.condemned), holds)
    return table
