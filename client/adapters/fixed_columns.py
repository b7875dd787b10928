"""A public data set's own table: its columns are known, and a row is one photograph, mostly with a grade.

BRSET and mBRSET are read by the same steps and differ in names, codes and in what a record is made of, so that
both set rows aside for the same reasons and in the same words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from client.adapters.codes import Value
from client.adapters.delimited import Row, Table
from client.adapters.photographs import Photographs
from client.adapters.reading import Reading
from shared_model.errors import DataError
from shared_model.wording import worded


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what, its columns in small letters.

    name: of the data set. tables: what its table may be called. photographs: the folder beside it. image, patient:
    the columns that name them. grades: canonical column -> column, `icdr` first. optional: canonical column ->
    column and how its cells are read; what cannot be read becomes missing. further: other columns that a person is
    told of where they are absent. shown: column -> how the header writes it. says: what a reader of the rows counts ->
    the sentence about it, as for `worded`. repeated: which of these check finds by itself.
    """

    name: str
    tables: tuple[str, ...]
    photographs: str
    image: str
    patient: str
    grades: Mapping[str, str]
    optional: Mapping[str, tuple[str, Callable[[str], Value]]]
    further: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()

    def table_in(self, folder: Path) -> Path:
        """The table of a folder, under the first of its names that is there. DataError where there is none."""
        names = {entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_file()}
        for name in self.tables:
            if name in names:
                return names[name]
        raise DataError(
            f"There is no table of labels: looked for {', '.join(self.tables)}.",
            where=str(folder),
            fix=f"Put {self.name}'s table into the folder under one of these names, beside {self.photographs}/.",
        )

    def require(self, table: Table) -> None:
        """Raises DataError where a column is absent without which no row can be used."""
        needed = (self.image, self.patient, self.grades["icdr"])
        missing = [self.shown.get(name, name) for name in needed if name not in table.columns]
        if missing:
            raise DataError(
                f"The table lacks {', '.join(missing)}.",
                where=f"{table.path}, line 1",
                fix="Add the column, or correct its name in the header.",
            )


class FixedRows(ABC):
    """Reads the rows of one table, and counts what a person should know about them."""

    layout: ClassVar[Layout]

    def __init__(self, table: Table, photographs: Photographs) -> None:
        self.reading = Reading(table.path.name, photographs)
        self.counts: Counter[str] = Counter()
        self._columns = table.columns

    def take(self, row: Row) -> None:
        """Add the row to the records, or its problems to the quarantine."""
        reading, cells, layout = self.reading, row.cells, self.layout
        named = cells.get(layout.image, "")
        if row.problem:  # its cells may stand under the wrong columns
            reading.claim(named)
            reading.refuse(row.line, named, ("", row.problem))
            return
        problems: list[tuple[str, str]] = []
        image = reading.needed(layout.image, named, problems)
        patient = reading.needed(layout.patient, cells.get(layout.patient, ""), problems)
        path = reading.photograph(layout.image, image, problems)
        grades = {name: reading.grade(c, cells.get(c, ""), problems) for name, c in layout.grades.items()}
        if problems or image is None or patient is None or path is None:
            reading.refuse(row.line, image or "", *problems, patient=patient)
            return
        values = {
            name: reading.optional(row.line, image, column, cells.get(column, ""), how)
            for name, (column, how) in layout.optional.items()
        }
        given = {"record_id": image, "patient_id": patient, "image_path": path}
        self.counts["ungraded"] += grades["icdr"] is None
        reading.add(row.line, {**given, **grades, **values, **self.further(row, grades, values)})

    @abstractmethod
    def further(
        self, row: Row, grades: Mapping[str, int | None], values: Mapping[str, Value]
    ) -> dict[str, object]:
        """What else the record holds, its `note` at least."""

    def notices(self) -> list[str]:
        """What a person should know about the rows that were read."""
        columns = (*(column for column, _ in self.layout.optional.values()), *self.layout.further)
        absent = [column for column in columns if column not in self._columns]
        said = [f"The table has no column {', '.join(absent)}: read as missing."] if absent else []
        return said + self._said(self.layout.says)

    def repeated(self) -> list[str]:
        """Those of the notices that check finds by itself."""
        return self._said(self.layout.repeated)

    def _said(self, keys: Iterable[str]) -> list[str]:
        return [worded(self.layout.says[key], self.counts[key]) for key in keys if self.counts[key]]
