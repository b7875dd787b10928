"""What an adapter has read so far: records, rows set aside, values that could not be read.

Every adapter of a table fills one of these, so that all of them quarantine, count and say the same things.
A cell that cannot be read costs its value; a row costs itself only where its photograph, its patient or a
grade in it is in doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from client.adapters import ABSENT, Loaded, problem_table
from client.adapters.companions import centers, splits
from client.adapters.photographs import Photographs
from client.adapters.values import Unusable, grade, identifier
from shared_model.records import build
from shared_model.wording import counted, worded

_UNREAD = "{n} [value|values] of {column} cannot be read ({reason}) and [is|are] treated as missing."
_LOST = "{n} of {rows} cannot be used and [is|are] set aside."
_Value = TypeVar("_Value")


class Reading:
    """Collects the records of one table.

    source: its name; photographs: the files its rows may name; unit: what a row of it is counted in ("line",
    "row", "entry").
    """

    def __init__(self, source: str, photographs: Photographs, unit: str = "line") -> None:
        self.source = source
        self.photographs = photographs
        self.unit = unit
        self.records: list[dict[str, object]] = []
        self.quarantined: list[tuple[int, str, str, str]] = []
        self.unread: list[tuple[int, str, str, str]] = []
        self.lines: dict[str, int] = {}
        self.owners: dict[int, str] = {}
        self._used: dict[str, int] = {}  # path -> line of the record that has it
        self._named: set[str] = set()  # paths that any row names, usable or not

    def refuse(self, line: int, record: str, *problems: tuple[str, str], patient: str | None = None) -> None:
        """Set a row aside; problems: (column, reason). patient: whose it is, where that can be read."""
        self.quarantined += [(line, record, column, reason) for column, reason in problems]
        if patient is not None:
            self.owners[line] = patient

    def add(self, line: int, record: Mapping[str, object]) -> None:
        """Take a row; record: its canonical columns, `record_id`, `patient_id` and `image_path` among them."""
        self.lines[str(record["record_id"])] = self._used[str(record["image_path"])] = line
        self.records.append(dict(record))

    def optional(
        self, line: int, record: str, column: str, text: str, how: Callable[[str], _Value]
    ) -> _Value | None:
        """The value of a cell, None where it is blank or cannot be read; the latter is noted."""
        try:
            return how(text)
        except Unusable as reason:
            self.unread.append((line, record, column, str(reason)))
            return None

    @staticmethod
    def needed(column: str, text: str, problems: list[tuple[str, str]]) -> str | None:
        """The id in a cell; a blank one is a problem."""
        value = identifier(text)
        if value is None:
            problems.append((column, "missing"))
        return value

    @staticmethod
    def grade(column: str, text: str, problems: list[tuple[str, str]]) -> int | None:
        """The grade in a cell; one that is no grade is a problem, a blank one is not."""
        try:
            return grade(text)
        except Unusable as reason:
            problems.append((column, f"the grade is {reason}"))
            return None

    def photograph(self, column: str, image: str | None, problems: list[tuple[str, str]]) -> str | None:
        """Path of the photograph a row names; a problem where it is absent or another row has it."""
        if image is None:
            return None
        try:
            path = self.photographs.find(image)
        except Unusable as reason:
            problems.append((column, str(reason)))
            return None
        if path is None:
            problems.append((column, ABSENT))
            return None
        self._named.add(path)
        if path in self._used:
            problems.append((column, f"the photograph is already named in {self.unit} {self._used[path]}"))
        return path

    def claim(self, image: str) -> None:
        """Note that a row names this photograph, if there is one of the name, though the row cannot be used."""
        with suppress(Unusable):
            path = self.photographs.find(image)
            if path is not None:
                self._named.add(path)

    def loaded(
        self, folder: Path, notices: list[str], rows: int, *, hint: str, repeated: Sequence[str] = ()
    ) -> Loaded:
        """Everything read, with centres and splits from the tables beside it.

        rows: how many the table has. hint: what to check where no row can be used because photographs are absent.
        repeated: those of the notices that check finds by itself.
        """
        set_aside = self._counted(rows)
        patients = [str(record["patient_id"]) for record in self.records]
        columns = {name: [r[name] for r in self.records] for name in (self.records or [{}])[0]}
        columns["center"], said = centers(folder, patients, columns.get("center", [None] * len(patients)))
        columns["split"], also_said = splits(folder, patients, columns.get("split", [None] * len(patients)))
        return Loaded(
            build(columns),
            problem_table(self.quarantined),
            notices + set_aside + said + also_said,
            self.lines,
            problem_table(self.unread),
            self.photographs.others(self._named),
            self.source,
            self.owners,
            hint,
            (*repeated, *set_aside),
        )

    def _counted(self, rows: int) -> list[str]:
        found = Counter((column, reason) for _, _, column, reason in self.unread)
        said = [
            worded(_UNREAD, count, column=column, reason=reason)
            for (column, reason), count in sorted(found.items())
        ]
        lost = len({line for line, *_ in self.quarantined})
        return said + ([worded(_LOST, lost, rows=counted(rows, "row"))] if lost else [])
