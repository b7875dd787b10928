"""A hospital's own table, CSV or Parquet, mapped in the section [data.table] of site.toml.

Columns, codes, units and date formats are named there, nothing is guessed from a header. A row is one
photograph, or one visit with a photograph of each eye. `mapping` is the schema of the section and
`table_example.toml` its commented template.
"""

from __future__ import annotations

import re
from pathlib import Path

from client.adapters import Loaded, Source
from client.adapters.codes import Read, Value
from client.adapters.delimited import Row, Table, read_table
from client.adapters.fields import GRADES, Fields, View, views
from client.adapters.mapping import EXCEL, PREFIX, Mapping, read_mapping
from client.adapters.nested import NestedPhotographs
from client.adapters.parquet import MAGIC, read_parquet
from client.adapters.reading import Reading
from client.adapters.suggest import suggest, table_of
from client.adapters.values import Unusable, word
from shared_model.errors import ConfigError
from shared_model.wording import worded

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UNGRADED = "{n} [record has|records have] no ICDR grade: [it is|they are] used, but not for grading."
TWICE = "the record is already in {unit} {line}"


def recognises(folder: Path) -> bool:
    """Whether there is a table of any kind in the folder; see client.site.init."""
    return table_of(folder) is not None


def example_options(folder: Path) -> str:
    """The section [data.table] of site.toml for this folder, with what its names suggest."""
    return suggest(folder)


def read(source: Source) -> Loaded:
    """The records of a mapped table; see client.adapters.load."""
    mapping = read_mapping(source.options)
    seen = views(mapping)
    path = _file(source.folder, mapping.file)
    wanted = {column for view in seen for column in (*view.columns.values(), *view.notes)}
    table = _table(path, {column.strip().casefold() for column in wanted})
    _require(mapping, table)
    rows = _Rows(mapping, seen, table, _photographs(source.folder, mapping))
    for row in table.rows:
        rows.take(row)
    return rows.reading.loaded(
        source.folder,
        rows.notices(),
        len(table.rows),
        hint=f"Check {PREFIX}images, {PREFIX}subfolders, {PREFIX}names_only and the columns of [data.table.columns].",
    )


class _Rows:
    """Reads the rows of one table, and counts what a person should know about them."""

    def __init__(
        self, mapping: Mapping, seen: tuple[View, ...], table: Table, photographs: NestedPhotographs
    ) -> None:
        unit = "row" if _is_parquet(table.path) else "line"
        self.reading = Reading(table.path.name, photographs, unit)
        self._mapping, self._views, self._fields = mapping, seen, Fields(mapping)
        self._splits: dict[str, tuple[str, int]] = {}
        self._one_eyed = 0

    def take(self, row: Row) -> None:
        """Add the photographs of a row to the records, or its problems to the quarantine."""
        cells, fields = row.cells, self._fields
        present = [v for v in self._views if word(fields.cell(cells, v.columns["image"])) is not None]
        if row.problem:  # its cells may stand under the wrong columns
            named = fields.cell(cells, self._views[0].columns["image"])
            self.reading.claim(named)
            self.reading.refuse(row.line, named, ("", row.problem))
            return
        for view in present or self._views[:1]:
            self._photograph(row, view)
        self._one_eyed += 0 < len(present) < len(self._views)

    def notices(self) -> list[str]:
        """What a person should know about the rows that were read."""
        mapping, rows = self._mapping, self.reading.records
        said = []
        if not (mapping.columns.patient or mapping.patient_pattern):
            said.append(
                "No column names the patient: every photograph counts as a patient of its own, so that two of one "
                "patient may be trained on and tested on, and each is protected as if it were a whole patient."
            )
        ungraded = sum(row["icdr"] is None for row in rows)
        if ungraded:
            said.append(worded(_UNGRADED, ungraded))
        if self._one_eyed:
            said.append(worded("{n} [row names|rows name] the photograph of one eye only.", self._one_eyed))
        return said

    def _photograph(self, row: Row, view: View) -> None:
        reading, cells, columns = self.reading, row.cells, view.columns
        problems: list[tuple[str, str]] = []
        image = reading.needed(columns["image"], self._cell(row, view, "image"), problems)
        record = (
            reading.needed(columns["record"], self._cell(row, view, "record"), problems)
            if "record" in columns
            else image
        )
        path = reading.photograph(columns["image"], image, problems)
        patient = self._patient(row, view, image, record, problems)
        grades = {name: self._certain(row, view, name, "grade", problems) for name in GRADES}
        split = self._split(row, view, patient, problems)
        if record in reading.lines:
            reason = TWICE.format(unit=reading.unit, line=reading.lines[record])
            problems.append((columns.get("record", columns["image"]), reason))
        if problems or record is None or patient is None or path is None:
            reading.refuse(row.line, record or image or "", *problems, patient=patient)
            return

        def optional(column: str, how: Read) -> Value:
            return reading.optional(row.line, record, column, self._fields.cell(cells, column), how)

        values = self._fields.optional(view, optional)
        note = self._fields.note(cells, view) or self._fields.rendered(values, grades["icdr"])
        given = {"record_id": record, "patient_id": patient, "image_path": path, "note": note, "split": split}
        reading.add(row.line, {**given, **grades, **values})
        if split is not None:
            self._splits.setdefault(patient, (split, row.line))

    def _cell(self, row: Row, view: View, field: str) -> str:
        return self._fields.cell(row.cells, view.columns.get(field))

    def _patient(
        self, row: Row, view: View, image: str | None, record: str | None, problems: list[tuple[str, str]]
    ) -> str | None:
        if "patient" in view.columns:
            return self.reading.needed(view.columns["patient"], self._cell(row, view, "patient"), problems)
        if self._mapping.patient_pattern is None or image is None:
            return record
        found = re.search(self._mapping.patient_pattern, image)
        if found is None or not found[1]:
            problems.append((view.columns["image"], "patient_pattern finds no patient in it"))
            return None
        return found[1]

    def _certain(self, row: Row, view: View, name: str, what: str, problems: list[tuple[str, str]]) -> Value:
        """The value of a column in which nothing may be in doubt; what cannot be read is a problem."""
        if name not in view.columns:
            return None
        try:
            return self._fields.read(name)(self._cell(row, view, name))
        except Unusable as reason:
            problems.append((view.columns[name], f"the {what} is {reason}"))
            return None

    def _split(
        self, row: Row, view: View, patient: str | None, problems: list[tuple[str, str]]
    ) -> str | None:
        """The split of a row; one that is not that of the patient's other rows is a problem."""
        value = self._certain(row, view, "split", "split", problems)
        if value is None:
            return None
        other, line = self._splits.get(patient or "", (value, 0))
        if other != value:
            problems.append(
                (view.columns["split"], f"the patient is in another split in {self.reading.unit} {line}")
            )
        return str(value)


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ConfigError(
            "The table does not exist." if not path.exists() else "The table is not a file.",
            where=f"{PREFIX}file: {path}",
            fix="Give the name of the table within the data folder.",
        )
    return path


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4)
    except OSError:
        return b""  # the reader that follows says why


def _is_parquet(path: Path) -> bool:
    return path.suffix.casefold() in (".parquet", ".pq") or _head(path) == MAGIC


def _table(path: Path, wanted: set[str]) -> Table:
    if _is_parquet(path):
        return read_parquet(path, wanted)
    if path.suffix.casefold() in EXCEL or _head(path) in _WORKBOOKS:
        raise ConfigError(
            "The table is an Excel workbook, whatever its name says.",
            where=f"{PREFIX}file: {path}",
            fix="Open it and save the sheet as CSV (UTF-8); then name that file.",
        )
    return read_table(path)


def _require(mapping: Mapping, table: Table) -> None:
    """Every column that the mapping names must be there: a misspelt one would silently be missing."""
    sections = [("columns", mapping.columns), *((f"eyes.{eye.eye}", eye) for eye in mapping.eyes)]
    for section, columns in sections:
        for key, given in columns:
            names = (
                given.values() if isinstance(given, dict) else given if isinstance(given, tuple) else (given,)
            )
            for name in names if not (section != "columns" and key == "eye") else ():
                if name is not None and name.strip().casefold() not in table.columns:
                    there = ", ".join(column for column in table.columns if column)
                    raise ConfigError(
                        f"The table has no column {name!r}.",
                        where=f"{PREFIX}{section}.{key}; {table.path}",
                        fix=f"The columns there are: {there[:2000]}.",
                    )


def _photographs(folder: Path, mapping: Mapping) -> NestedPhotographs:
    images = folder / mapping.images
    if not images.is_dir():
        raise ConfigError(
            "The folder of photographs does not exist.",
            where=f"{PREFIX}images: {images}",
            fix='Give it within the data folder; "." is the data folder itself.',
        )
    return NestedPhotographs(images, subfolders=mapping.subfolders, names_only=mapping.names_only)
