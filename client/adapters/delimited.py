"""Reads a hospital's CSV table row by row, whatever wrote it, and remembers where each row stood.

pandas would guess types, drop ragged rows or shift their cells; a person asked to correct a row needs its
line in the file. Comma or semicolon, UTF-8 with or without mark, UTF-16 or Windows-1252 are recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.adapters.bounded import read_bounded
from client.adapters.quoting import Record, records
from shared_model.errors import DataError

MAX_BYTES = 512 * 2**20  # BRSET's table is 2 MB
_HEAD = 65_536  # bytes that hold the header


@dataclass(frozen=True)
class Row:
    """One row: its first line in the file (the header is line 1), and its cells by column.

    problem: why the cells cannot be trusted, "" where they can.
    """

    line: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """The columns of a file, renamed as asked, and its rows; blank lines are left out."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path, aliases: Mapping[str, str] | None = None) -> Table:
    """The table in path, its header in lower case and with `aliases` (header -> name) applied.

    Raises DataError for a file that cannot be read, is empty, or names a column twice.
    """
    text = _decoded(read_bounded(path, MAX_BYTES, called="table", kind="CSV file"))
    found = records(text, _delimiter(text))
    header = next(found, Record(1, []))
    if header.problem:
        raise DataError(
            "The header of the table cannot be read: a quotation mark in it is not closed, or a cell too long.",
            where=f"{path}, line 1",
            fix="Correct the first line.",
        )
    columns = tuple((aliases or {}).get(name, name) for name in (c.strip().casefold() for c in header.cells))
    if not any(columns):
        raise DataError("The table is empty.", where=str(path), fix="Give a CSV file with a header line.")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DataError(
            "The table names the same column twice.",  # without a header, a column's name is a patient's value
            where=f"{path}, line 1: {', '.join(twice)}",
            fix="Keep one of them.",
        )
    kept = (record for record in found if record.problem or any(cell.strip() for cell in record.cells))
    return Table(path, columns, tuple(_row(record, columns) for record in kept))


def columns_of(path: Path) -> tuple[str, ...]:
    """The header of a table as it is written, without reading the rest; () where that cannot be told."""
    try:
        with path.open("rb") as file:
            content = file.read(_HEAD)
    except OSError:
        return ()
    text = _decoded(content if len(content) < _HEAD else content.rpartition(b"\n")[0])
    header = next(records(text, _delimiter(text)), Record(1, []))
    return () if header.problem else tuple(cell.strip() for cell in header.cells)


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.split("\n", 1)[0].count)


def _row(record: Record, columns: tuple[str, ...]) -> Row:
    problem = record.problem
    if not problem and len(record.cells) != len(columns):
        problem = f"the row has {len(record.cells)} cells, the header {len(columns)}"
    return Row(record.line, dict(zip(columns, record.cells, strict=False)), problem)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
