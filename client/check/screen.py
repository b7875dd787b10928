"""The result of a check for a person at a terminal, or in a log file: verdict, counts, findings, what to do.

Made for 100 columns and without colour as readable as with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.check.check import CheckResult
from client.check.finding import Finding
from client.check.summary import Summary
from shared_model.records import SPLITS
from shared_model.wording import counted, worded

WIDTH = 100
_LEVELS = {"blocks": "STOPS", "costs_rows": "COSTS ROWS", "warning": "WARNING", "note": "note"}
_STYLES = {"blocks": "bold red", "costs_rows": "red", "warning": "yellow", "note": "dim"}
_FIELDS = {
    "note": "note",
    "age": "age",
    "sex": "sex",
    "eye": "eye",
    "diabetes_duration": "diabetes duration",
    "insulin": "insulin",
    "diabetes": "diabetes",
    "icdr": "ICDR",
    "sdrg": "SDRG",
    "visit": "visit",
    "camera": "camera",
    "center": "centre",
}


def show(result: CheckResult, console: Console) -> None:
    """Print the result; a console that is no terminal is given 100 columns."""
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH, highlight=False, color_system=None)
    console.print()
    for line in result.verdict.lines:
        console.print(Text(line, style="bold" if line is result.verdict.join else ""))
    if result.where:
        console.print(Text(f"where: {result.where}"))
    if result.summary:
        console.print()
        console.print(_counts(result.summary))
    if result.findings:
        console.print()
        console.print(_findings(result.findings))
    for notice in result.notices:
        console.print(Text(f"notice: {notice}"))
    for sentence in result.estimate.sentences() if result.estimate else ():
        console.print(Text(sentence))
    if any(finding.rows for finding in result.findings):
        console.print(
            Text(
                "Which rows a finding is about: fedfundus-site quarantine --warnings (it names patients, too)."
            )
        )
    if result.summary and result.summary.rows_set_aside:
        console.print(
            Text("Rows set aside, and why: fedfundus-site quarantine (it names patients; keep it here).")
        )


def counts(summary: Summary) -> list[tuple[str, str]]:
    """What the site has, as (what, how much)."""
    sides = ", ".join(f"{side} {counted(summary.sides[side][0], 'patient')}" for side in SPLITS)
    shown = [
        ("rows", f"{summary.rows:,}, " + worded("of which {n} [is|are] set aside", summary.rows_set_aside)),
        ("photographs", f"{summary.photographs:,} of {counted(summary.patients, 'patient')}"),
        ("visits", "not recorded" if summary.visits is None else f"{summary.visits:,}"),
        ("split", sides),
        *((f"{task.upper()} 0 to 4", _grades(summary, task)) for task in summary.grades),
        ("findings", _positives(summary)),
        ("missing", _missing(summary)),
        ("notes", _notes(summary)),
    ]
    if summary.kept_back:
        shown.append(("kept back", f"{' and '.join(summary.kept_back)}, by the site's own policy"))
    if summary.excluded:
        shown.append(
            (
                "excluded",
                worded(
                    "{n} [patient|patients], at their request; they are counted nowhere", summary.excluded
                ),
            )
        )
    return shown


def field_name(name: str) -> str:
    """What a person calls a field of the canonical record."""
    return _FIELDS.get(name, name.replace("_", " "))


def _counts(summary: Summary) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), width=WIDTH)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, text in counts(summary):
        table.add_row(name, Text(text))
    return table


def _findings(findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, padding=(0, 1, 1, 0), pad_edge=False)
    table.add_column("", no_wrap=True, width=10)
    table.add_column("what", ratio=5)
    table.add_column("where", ratio=3)
    table.add_column("how to fix", ratio=4)
    for finding in findings:
        level = Text(_LEVELS[finding.level], style=_STYLES[finding.level])
        table.add_row(level, Text(finding.what), Text(finding.where), Text(finding.fix))
    return table


def _grades(summary: Summary, task: str) -> str:
    total = sum(summary.grades[task])
    ungraded = f"; {summary.photographs - total:,} without" if total < summary.photographs else ""
    return " / ".join(f"{count:,}" for count in summary.grades[task]) + ungraded if total else "none recorded"


def _positives(summary: Summary) -> str:
    found = [
        f"{name.replace('_', ' ')} {positive:,} of {recorded:,}"
        for name, (positive, recorded) in summary.findings.items()
        if recorded
    ]
    return ", ".join(found) or "none recorded"


def _missing(summary: Summary) -> str:
    total = max(1, summary.photographs)
    some = [
        f"{field_name(name)} {_percent(count / total)}" for name, count in summary.missing.items() if count
    ]
    return ", ".join(some) or "nothing"


def _notes(summary: Summary) -> str:
    notes = summary.notes
    if not notes.notes:
        return "none"
    return (
        f"{notes.notes:,} ({notes.different:,} different), {counted(notes.missing, 'record')} without; "
        + worded("{n} [states|state] that nothing was found, ", notes.no_abnormality)
        + worded("{n} [states|state] the grade ", notes.state_grade)
        + f"(grading does not read those sentences); tokens: median {notes.median:,}, longest {notes.longest:,}"
    )


def _percent(share: float) -> str:
    return "under 1%" if share < 0.01 else f"{share:.0%}"
