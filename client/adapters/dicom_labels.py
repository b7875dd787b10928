"""Grades, notes and values of DICOM photographs, which their headers do not hold, from a table beside them.

The section [data.dicom.labels] maps the table as [data.table] does (codes, units, words for missing) and says what its
rows are matched by. A row that fits no photograph, and rows that contradict each other, are set aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from client.adapters import ABSENT
from client.adapters.delimited import Row, read_table
from client.adapters.dicom_header import Texts
from client.adapters.fields import Fields, views
from client.adapters.mapping import EXCEL, Column, Columns
from client.adapters.mapping import Mapping as TableMapping
from client.adapters.parquet import read_parquet
from client.adapters.values import Unusable, identifier
from shared_model.config.validation import validated
from shared_model.errors import ConfigError

PREFIX = "data.dicom."
_FIX = "Correct this key of site.toml. [data.dicom.labels] is written like [data.table]; see `fedfundus-site init`."
_FROM_HEADERS = (
    *("image", "record", "patient", "visit", "split", "exam_date"),
    *("birth_date", "birth_year", "diagnosis_date", "diagnosis_year"),
)
_MATCHES = {
    "sop_instance_uid": "this SOPInstanceUID",
    "file": "this name alone",
    "accession_number": "this accession number and eye",
}


class LabelColumns(Columns):
    """Columns of the table of labels; `key` is the one that says which photograph a row is about."""

    key: Column


class Labels(TableMapping):
    """The section [data.dicom.labels]."""

    match: Literal["sop_instance_uid", "file", "accession_number"] = "sop_instance_uid"
    columns: LabelColumns


class DicomOptions(BaseModel):
    """The section [data.dicom]."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    labels: Labels | None = None


def read_options(options: Mapping[str, Any]) -> DicomOptions:
    """The options of the adapter. Raises ConfigError naming the first key at fault."""
    said = validated(DicomOptions, options, prefix=PREFIX, fix=_FIX, keys=_FIX)
    labels = said.labels
    if labels is None:
        return said
    wrong = [name for name in _FROM_HEADERS if getattr(labels.columns, name) is not None]
    wrong += ["eyes"] if labels.eyes else []
    if wrong:
        raise ConfigError(
            f"{wrong[0]} is not taken from a table of labels.",
            where=f"{PREFIX}labels.columns.{wrong[0]}",
            fix="Remove it: the headers of the photographs say it, or split.csv.",
        )
    if labels.file.casefold().endswith(EXCEL):
        raise ConfigError(
            "An Excel workbook cannot be read as a table.",
            where=f"{PREFIX}labels.file",
            fix="Save the sheet as CSV (UTF-8) and name that file.",
        )
    return said


class LabelTable:
    """The rows of the table, by what they are matched by. Raises ConfigError where it does not fit its mapping."""

    def __init__(self, folder: Path, labels: Labels) -> None:
        self.columns = labels.columns
        self._match = labels.match
        path = folder / labels.file
        if not path.is_file():
            raise ConfigError(
                "The table of labels does not exist.",
                where=f"{PREFIX}labels.file: {path}",
                fix="Give its name within the data folder.",
            )
        try:
            self.fields = Fields(labels)
        except ValueError as fault:
            raise ConfigError(
                f"A code does not fit: {fault}.", where=f"{PREFIX}labels.codes", fix=_FIX
            ) from None
        self.view = views(labels)[0]
        wanted = {name.strip().casefold() for name in (*self.view.columns.values(), *self.view.notes)}
        is_parquet = path.suffix.casefold() in (".parquet", ".pq")
        table = read_parquet(path, wanted) if is_parquet else read_table(path)
        if absent := sorted(wanted - set(table.columns)):
            raise ConfigError(
                f"The table of labels has no column {absent[0]!r}.",
                where=f"{PREFIX}labels.columns; {path}",
                fix=_FIX,
            )
        self.rows = table.rows
        self._wanted = wanted
        self._used: set[int] = set()
        self._by_key: dict[str, list[Row]] = defaultdict(list)
        for row in table.rows:
            if not row.problem and (key := self._key(row)):
                self._by_key[key].append(row)

    def row_of(self, relative: str, texts: Texts, eye: float | None, shared: Counter[str]) -> Row | None:
        """The row about a photograph, None where there is none.

        relative: its path in the folder; shared: how many files have each of the names `names_of` gives. Raises
        Unusable where rows contradict each other or the header.
        """
        rows = [row for key in self._keys(relative, texts, shared) for row in self._by_key.get(key, [])]
        if self._match == "accession_number":
            rows = [row for row in rows if self._eye(row) in (None, eye)]
        self._used.update(row.line for row in rows)
        if not rows:
            return None
        if any(self._cells(row) != self._cells(rows[0]) for row in rows):
            lines = " and ".join(str(row.line) for row in rows[:2])
            raise Unusable(f"the table of labels says two different things of it, in lines {lines}")
        said = self._eye(rows[0])
        if said is not None and eye is not None and said != eye:
            raise Unusable(f"line {rows[0].line} of the table of labels says it is the other eye")
        return rows[0]

    def unused(self) -> Iterator[tuple[Row, str, str, str]]:
        """Every row that fits no photograph: the row, its key, the column and the reason."""
        for row in self.rows:
            key = self.fields.cell(row.cells, self.columns.key)
            if row.problem:
                yield row, key, "", row.problem
            elif not self._key(row):
                yield row, key, self.columns.key, "missing"
            elif row.line not in self._used:
                yield row, key, self.columns.key, f"{ABSENT}: none has {_MATCHES[self._match]}"

    def _keys(self, relative: str, texts: Texts, shared: Counter[str]) -> list[str]:
        if self._match == "file":
            return [name for name in names_of(relative) if shared[name] == 1]
        keyword = "SOPInstanceUID" if self._match == "sop_instance_uid" else "AccessionNumber"
        return [key] if (key := texts[keyword].casefold()) else []

    def _key(self, row: Row) -> str:
        return (identifier(self.fields.cell(row.cells, self.columns.key)) or "").replace("\\", "/").casefold()

    def _eye(self, row: Row) -> float | None:
        try:
            value = self.fields.read("eye")(self.fields.cell(row.cells, self.columns.eye))
        except Unusable:  # said where the row is read
            return None
        return value if isinstance(value, float) else None

    def _cells(self, row: Row) -> dict[str, str]:
        return {name: row.cells.get(name, "").strip() for name in self._wanted}


def names_of(relative: str) -> set[str]:
    """What a cell may call a file: its path from any folder on, with and without its ending."""
    parts = PurePosixPath(relative.casefold()).parts
    paths = ["/".join(parts[start:]) for start in range(len(parts))]
    return {*paths, *(str(PurePosixPath(path).with_suffix("")) for path in paths)}
