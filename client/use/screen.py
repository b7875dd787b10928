"""What grading and searching found, for a person at a terminal: counts and a few lines, never every case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.use.cases import Cases
from client.use.decision import KINDS
from client.use.finished import NOTICE, Finished
from client.use.grading import Graded
from client.use.own_grades import OwnGrades
from client.use.search import Search
from client.use.wording import held_out_grading, held_out_retrieval, own_grades, promises, searched
from shared_model.wording import counted

WIDTH = 100
FIRST = 5  # cases that are named


def show_grades(
    console: Console,
    finished: Finished,
    of: Cases,
    cases: Sequence[Graded],
    summary: dict[str, Any],
    kept: OwnGrades,
    table: Path,
) -> None:
    """Decisions, why a person is asked, the first cases to look at, and how far the model's word goes."""
    console = _fitting(console)
    console.print(Text(NOTICE, style="bold"))
    console.print(_decisions(summary))
    if summary["reasons"]:
        console.print(_counts("why a person is asked", {KINDS[k]: n for k, n in summary["reasons"].items()}))
    console.print(_first(cases, finished.tasks))
    if summary["one_eye"]:
        console.print(Text(f"{counted(summary['one_eye'], 'patient')} with one eye graded only."))
    for sentence in (*own_grades(kept), *promises(finished, cases), held_out_grading(finished)):
        console.print(Text(sentence))
    for notice in of.notices:
        console.print(Text(f"notice: {notice}"))
    console.print(Text(f"all cases: {table} (it names patients: keep it here)"))


def show_hits(console: Console, finished: Finished, of: Cases, search: Search) -> None:
    """The photographs found, with their scores."""
    console = _fitting(console)
    console.print(Text(NOTICE, style="bold"))
    grid = _grid("", "photograph", "patient", "cosine", "above the mean")
    for hit in search.hits:
        above = f"{hit.deviations:+.1f} sd"
        grid.add_row(str(hit.rank), Text(of.name(hit.path)), Text(hit.patient), f"{hit.score:.3f}", above)
    console.print(grid)
    for sentence in (*searched(search), held_out_retrieval(finished, len(search.hits))):
        console.print(Text(sentence))
    for notice in of.notices:
        console.print(Text(f"notice: {notice}"))


def _decisions(summary: dict[str, Any]) -> Table:
    people = summary["patients"]
    grid = _grid("decision", "photographs", *(["patients"] if people else []))
    for name, count in summary["decisions"].items():
        grid.add_row(name, f"{count:,}", *([f"{people[name]:,}"] if people else []))
    return grid


def _counts(title: str, counts: dict[str, int]) -> Table:
    grid = _grid(title, "photographs")
    for name, count in counts.items():
        grid.add_row(name, f"{count:,}")
    return grid


def _first(cases: Sequence[Graded], tasks: Sequence[str]) -> Table:
    grid = _grid(
        "look first at case", *(task.upper() for task in tasks), "confidence", "referable", "decision"
    )
    for case in [case for case in cases if not case.lost][:FIRST]:
        if case.probabilities is None:
            grid.add_row(str(case.number), *[""] * len(tasks), "", "", case.decision)
            continue
        grades = (str(case.grade(task)) for task in tasks)
        task = tasks[0]
        shares = (f"{case.confidence(task):.3f}", f"{case.referable(task):.3f}")
        grid.add_row(str(case.number), *grades, *shares, case.decision)
    return grid


def _grid(*names: str) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        grid.add_column(name, justify="left" if place == 0 or name in _WORDS else "right", overflow="fold")
    return grid


_WORDS = ("decision", "photograph", "patient")


def _fitting(console: Console) -> Console:
    if console.is_terminal:
        return console
    return Console(file=console.file, width=WIDTH, highlight=False, color_system=None)
