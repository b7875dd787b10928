"""Reads a hospital's CSV table row by row, whatever wrote it, and remembers where each row stood.

pandas would guess types, drop ragged rows or shift their cells; a person asked to correct a row needs its
line in the file. Comma or semicolon, UTF-8 with or without mark, UTF-16 or Windows-1252 are recognised.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_model.errors import DataError

MAX_BYTES = 512 * 2**20  # BRSET's table is 2 MB
MAX_CELL = 100_000


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
    text = _text(path)
    lines = _records(path, text, _delimiter(text))
    _, header = next(lines, (1, []))
    columns = tuple((aliases or {}).get(name, name) for name in (cell.strip().casefold() for cell in header))
    if not any(columns):
        raise DataError("The table is empty.", where=str(path), fix="Give a CSV file with a header line.")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DataError(
            "The table names the same column twice.",  # without a header, a column's name is a patient's value
            where=f"{path}, line 1: {', '.join(twice)}",
            fix="Keep one of them.",
        )
    rows = tuple(_row(line, cells, columns) for line, cells in lines if any(cell.strip() for cell in cells))
    return Table(path, columns, rows)


def columns_of(path: Path) -> tuple[str, ...]:
    """The header of a table as it is written, without reading the rest; () where that cannot be told."""
    try:
        with path.open("rb") as file:
            text = _decoded(file.read(65_536).rpartition(b"\n")[0])
        line = next(csv.reader([text.split("\n", 1)[0]], delimiter=_delimiter(text)), [])
    except (OSError, csv.Error):
        return ()
    return tuple(cell.strip() for cell in line)


def _delimiter(text: str) -> str:
    return max(",;\t", key=text.split("\n", 1)[0].count)


def _row(line: int, cells: list[str], columns: tuple[str, ...]) -> Row:
    problem = ""
    if len(cells) != len(columns):
        problem = f"the row has {len(cells)} cells, the header {len(columns)}"
    return Row(line, dict(zip(columns, cells, strict=False)), problem)


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"The table cannot be read: {error}.",
            where=f"{path}, line {line}",
            fix="Look for an unclosed quotation mark on or before that line.",
        ) from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(
                "The table is implausibly large.",
                where=str(path),
                fix=f"Give a CSV file of at most {MAX_BYTES // 2**20} MB.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The table cannot be opened: {error.strerror}.", where=str(path), fix="Check its permissions."
        ) from None
    return _decoded(data)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
