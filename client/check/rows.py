"""What reading the table already told: rows set aside, values that could not be read, photographs without a row.

The adapter gives its reasons row by row; here they become one finding a kind, with the words a person needs to mend
them at the source.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import pandas as pd

from client.adapters import Loaded
from client.check.finding import Finding, place
from shared_model.wording import worded


@dataclass(frozen=True)
class _Kind:
    """What a reason amounts to: `marks` are words of the adapter's reason, `what` is as for `worded`."""

    name: str
    marks: tuple[str, ...]
    what: str
    fix: str


class _Rows(TypedDict):
    rows: tuple[str, ...]
    lines: tuple[int, ...]


_REFUSED = (
    _Kind(
        "row_ragged",
        ("the row has", "the line is"),
        "{n} [row does|rows do] not have as many cells as the header",
        "Put text that holds the separator into quotation marks and export the table again.",
    ),
    _Kind(
        "photograph_missing",
        ("photograph is absent",),
        "{n} [row names|rows name] a photograph that is not in the folder",
        "Copy the photographs into the folder, or correct their names in the table.",
    ),
    _Kind(
        "photograph_named_twice",
        ("already named",),
        "{n} [row names|rows name] a photograph that an earlier row already has",
        "Keep the row that is right; one photograph is one record.",
    ),
    _Kind(
        "record_named_twice",
        ("is already in", "same SOPInstanceUID"),
        "{n} [row or file has|rows or files have] the same id as an earlier one",
        "Keep the one that is right, or give the other an id of its own.",
    ),
    _Kind(
        "label_of_other_eye",
        ("the other eye",),
        "{n} [photograph is|photographs are] of the other eye than [its row|their rows] in the labels",
        "See which is right, header or labels, and correct the other.",
    ),
    _Kind(
        "labels_contradict",
        ("two different things",),
        "of {n} [photograph|photographs] the labels say two different things",
        "Keep the row of the labels that is right.",
    ),
    _Kind(
        "split_contradicts_row",
        ("in another split", "the split is"),
        "{n} [row has|rows have] a split that is unknown, or another than the patient's other rows",
        "Give all rows of a patient one split: train, validation or test.",
    ),
    _Kind(
        "patient_not_in_name",
        ("patient_pattern",),
        "{n} [row names|rows name] a photograph whose name holds no patient",
        "Correct the name, or patient_pattern in site.toml.",
    ),
    _Kind(
        "photograph_ambiguous",
        ("several photographs",),
        "{n} [row names|rows name] a photograph of which the folders hold several",
        "Write the folder into the table too, or give the photographs different names.",
    ),
    _Kind(
        "photograph_of_other_kind",
        ("not a DICOM file", "not a colour fundus photograph"),
        "{n} [entry is|entries are] not of a photograph that can be used",
        "Nothing need be done where they are something else; `fedfundus-site quarantine` lists them.",
    ),
    _Kind(
        "grade_unreadable",
        ("the grade is",),
        "{n} [row has|rows have] a grade that is none of 0 to 4",
        "Correct the grade, or leave the cell empty where there is none.",
    ),
    _Kind(
        "id_missing",
        ("missing",),
        "{n} [row does not say which patient or which photograph it is|rows do not say which patient or which "
        "photograph they are] about",
        "Fill in the column; a patient without an id cannot be kept apart from others.",
    ),
)
_OTHER = _Kind(
    "row_unusable", (), "{n} [row|rows] cannot be used", "See their reasons: fedfundus-site quarantine."
)

_UNREAD = (
    _Kind(
        "duration_longer_than_age",
        ("longer than",),
        "{n} [value of {column} says|values of {column} say] that diabetes is older than the patient; "
        "treated as missing",
        "Correct age or duration.",
    ),
    _Kind(
        "value_out_of_range",
        ("outside",),
        "{n} [value of {column} is|values of {column} are] impossible ({reason}); treated as missing",
        "Correct them at the source.",
    ),
    _Kind(
        "code_unknown",
        ("code", "neither yes nor no"),
        "{n} [value of {column} is|values of {column} are] no code of this column ({reason}); treated as missing",
        "Correct them, or add the code to the column's mapping in site.toml.",
    ),
    _Kind(
        "number_unreadable",
        ("not a number",),
        "{n} [value of {column} is not a number|values of {column} are not numbers]; treated as missing",
        "Write a number, or leave the cell empty.",
    ),
    _Kind(
        "date_unreadable",
        ("date",),
        "{n} [value|values] of {column} cannot be read as [a date|dates] ({reason}); treated as missing",
        "Correct them, or set the column's date format in site.toml.",
    ),
)
_AGE = re.compile(r"(?:^|[^a-z])(?:age|idade)(?:[^a-z]|$)", re.IGNORECASE)

_UNREAD_OTHER = _Kind(
    "value_unreadable",
    (),
    "{n} [value|values] of {column} cannot be read ({reason}); treated as missing",
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
            what=worded(f"{kind.what}; [it is|they are] set aside.", found["row"].nunique()),
            where=place(source, found["row"], column),
            count=int(found["row"].nunique()),
            fix=kind.fix,
            **_rows(found),
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
                what=worded(f"{kind.what}.", len(found), column=column, reason=reason),
                where=place(source, found["row"], str(column)),
                count=len(found),
                fix=kind.fix,
                **_rows(found),
            )
        )
    return findings


def _rows(found: pd.DataFrame) -> _Rows:
    """The records of a problem table and their lines, in the same order, a line once."""
    once = found.drop_duplicates("row").sort_values("row")
    return {"rows": tuple(once["record"]), "lines": tuple(int(line) for line in once["row"])}


def _unclaimed(loaded: Loaded) -> list[Finding]:
    count = len(loaded.unclaimed)
    if not count:
        return []
    return [
        Finding(
            kind="photograph_without_row",
            level="warning",
            what=worded(
                "{n} [photograph in the folder is|photographs in the folder are] named by no row of the table; "
                "[it is|they are] not used.",
                count,
            ),
            where="the folder of photographs",
            count=count,
            fix="Add their rows, or move them out of the folder; `fedfundus-site quarantine` lists them.",
            rows=loaded.unclaimed,
        )
    ]


def kind_of(reason: str, kinds: Sequence[_Kind], other: _Kind) -> _Kind:
    """The first kind whose marks stand in the reason."""
    return next((kind for kind in kinds if any(mark in reason for mark in kind.marks)), other)
