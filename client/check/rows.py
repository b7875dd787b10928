"""What reading the table already told: rows set aside, values that could not be read, photographs without a row.

The adapter gives its reasons row by row; here they become one finding a kind, with the words a person needs to mend
them at the source.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from client.adapters import Loaded
from client.check.finding import Finding, place


@dataclass(frozen=True)
class _Kind:
    """What a reason amounts to: `marks` are words of the adapter's reason."""

    name: str
    marks: tuple[str, ...]
    what: str
    fix: str


_REFUSED = (
    _Kind(
        "row_ragged",
        ("the row has", "the line is"),
        "rows do not have as many cells as the header",
        "Put text that holds the separator into quotation marks and export the table again.",
    ),
    _Kind(
        "photograph_missing",
        ("photograph is absent",),
        "rows name a photograph that is not in the folder",
        "Copy the photographs into the folder, or correct their names in the table.",
    ),
    _Kind(
        "photograph_named_twice",
        ("already named",),
        "rows name a photograph that an earlier row already has",
        "Keep the row that is right; one photograph is one record.",
    ),
    _Kind(
        "grade_unreadable",
        ("the grade is",),
        "rows have a grade that is none of 0 to 4",
        "Correct the grade, or leave the cell empty where there is none.",
    ),
    _Kind(
        "id_missing",
        ("missing",),
        "rows do not say which patient or which photograph they are about",
        "Fill in the column; a patient without an id cannot be kept apart from others.",
    ),
)
_OTHER = _Kind("row_unusable", (), "rows cannot be used", "See their reasons: fedfundus-site quarantine.")

_UNREAD = (
    _Kind(
        "duration_longer_than_age",
        ("longer than",),
        "values of {column} say that diabetes is older than the patient; treated as missing",
        "Correct age or duration.",
    ),
    _Kind(
        "value_out_of_range",
        ("outside",),
        "values of {column} are impossible ({reason}); treated as missing",
        "Correct them at the source.",
    ),
    _Kind(
        "code_unknown",
        ("code", "neither yes nor no"),
        "values of {column} are no code of this column ({reason}); treated as missing",
        "Correct them, or add the code to the column's mapping in site.toml.",
    ),
    _Kind(
        "number_unreadable",
        ("not a number",),
        "values of {column} are not numbers; treated as missing",
        "Write a number, or leave the cell empty.",
    ),
    _Kind(
        "date_unreadable",
        ("date",),
        "values of {column} cannot be read as dates ({reason}); treated as missing",
        "Correct them, or set the column's date format in site.toml.",
    ),
)
_AGE = re.compile(r"(?:^|[^a-z])(?:age|idade)(?:[^a-z]|$)", re.IGNORECASE)

_UNREAD_OTHER = _Kind(
    "value_unreadable",
    (),
    "values of {column} cannot be read ({reason}); treated as missing",
    "Correct them at the source.",
)


def row_findings(loaded: Loaded) -> list[Finding]:
    """Findings of the quarantine, of unread values and of photographs that no row names."""
    return [
        *_refused(loaded.quarantine, loaded.source),
        *_unread(loaded.unread, loaded.source),
        *_unclaimed(loaded),
    ]


def _refused(problems: pd.DataFrame, source: str) -> list[Finding]:
    rows: dict[tuple[_Kind, str], list[int]] = defaultdict(list)
    for position, (column, reason) in enumerate(zip(problems["column"], problems["reason"], strict=True)):
        rows[(kind_of(reason, _REFUSED, _OTHER), column)].append(position)
    grouped = {key: problems.iloc[positions] for key, positions in rows.items()}
    return [
        Finding(
            kind=kind.name,
            level="costs_rows",
            what=f"{found['row'].nunique()} {kind.what}; they are set aside.",
            where=place(source, found["row"], column),
            count=int(found["row"].nunique()),
            fix=kind.fix,
            rows=tuple(found["record"]),
            lines=tuple(sorted(set(found["row"]))),
        )
        for (kind, column), found in grouped.items()
    ]


def _unread(unread: pd.DataFrame, source: str) -> list[Finding]:
    findings = []
    for (column, reason), found in unread.groupby(["column", "reason"], sort=False):
        kind = kind_of(str(reason), _UNREAD, _UNREAD_OTHER)
        aged = kind.name == "value_out_of_range" and _AGE.search(str(column))
        findings.append(
            Finding(
                kind="age_out_of_range" if aged else kind.name,
                level="warning",
                what=f"{len(found)} {kind.what.format(column=column, reason=reason)}.",
                where=place(source, found["row"], str(column)),
                count=len(found),
                fix=kind.fix,
                rows=tuple(found["record"]),
                lines=tuple(sorted(set(found["row"]))),
            )
        )
    return findings


def _unclaimed(loaded: Loaded) -> list[Finding]:
    count = len(loaded.unclaimed)
    if not count:
        return []
    return [
        Finding(
            kind="photograph_without_row",
            level="warning",
            what=f"{count} photographs in the folder are named by no row of the table; they are not used.",
            where="the folder of photographs",
            count=count,
            fix="Add their rows, or move them out of the folder; `fedfundus-site quarantine` lists them.",
            rows=loaded.unclaimed,
        )
    ]


def kind_of(reason: str, kinds: Sequence[_Kind], other: _Kind) -> _Kind:
    """The first kind whose marks stand in the reason."""
    return next((kind for kind in kinds if any(mark in reason for mark in kind.marks)), other)
