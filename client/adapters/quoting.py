"""Cuts the text of a CSV table into records, and goes on at the next line after a quotation mark that is not closed.

From such a mark the csv module reads to the next one, or to the end of the file, and every row on the way becomes
part of one cell. A cell of several lines is therefore believed only where it is quoted properly, where its row has
the header's number of cells, and where the lines in it are not rows by themselves.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_CELL = 10_000_000  # characters
UNCLOSED = "a quotation mark that this line opens is not closed"
MISPLACED = "a quotation mark in this line is out of place"
TOO_LONG = f"a cell is longer than {MAX_CELL:,} characters"

_LONGEST = 4 * MAX_CELL  # what is read to find the end of a cell; csv holds it in four bytes a character
_PATIENCE = 8  # how often, on average, a character is read again behind marks that are not closed
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


class Record(NamedTuple):
    """One record: its first line (from 1), its cells, and why they cannot be trusted, "" where they can."""

    line: int
    cells: list[str]
    problem: str = ""


def records(text: str, delimiter: str) -> Iterator[Record]:
    """The records of a table, its header first; every line is part of one of them.

    A line with a mark that is not closed is a record with a problem, its cells being those between the delimiters.
    """
    csv.field_size_limit(_LONGEST)
    lines = _Lines(_LINE.findall(text), delimiter)
    at, width = 0, 0
    while at < len(lines.lines):
        taken, cells, problem = lines.record(at, width)
        if len(lines.lines[at]) > MAX_CELL or taken > 1:
            problem = problem or (TOO_LONG if any(len(cell) > MAX_CELL for cell in cells) else "")
            cells = ["" if len(cell) > MAX_CELL else cell for cell in cells]
        yield Record(at + 1, cells, problem)
        width = width or len(cells)
        at += taken


class _Lines:
    """The lines of a file, each with its end, and what may still be spent on looking for closing marks."""

    def __init__(self, lines: Sequence[str], delimiter: str) -> None:
        self.lines = lines
        self._delimiter = delimiter
        self._left = _PATIENCE * sum(map(len, lines))
        cell = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^"{re.escape(delimiter)}]*+)'
        self._proper = re.compile(rf"{cell}(?:{re.escape(delimiter)}{cell})*")

    def record(self, at: int, width: int) -> tuple[int, list[str], str]:
        """How many lines the record from line `at` on takes, its cells and its problem; width: 0 for the header."""
        line = self.lines[at]
        alone = self._alone(line)
        if alone is not None:
            misplaced = '"' in line and width not in (0, len(alone)) and not self._is_proper(line)
            return 1, alone, MISPLACED if misplaced else ""
        taken, cells = self._several(at)
        if cells and width in (0, len(cells)) and not (width and self._holds_rows(at, taken, width)):
            return taken, cells, ""
        self._left -= sum(len(self.lines[n]) for n in range(at, at + taken))
        return 1, line.rstrip("\r\n").replace('"', "").split(self._delimiter), UNCLOSED

    def _alone(self, line: str) -> list[str] | None:
        """The cells of a line, None where a mark in it is not closed."""
        if '"' not in line:
            return line.rstrip("\r\n").split(self._delimiter)
        reader = csv.reader((line, "\n"), delimiter=self._delimiter)
        try:
            cells = next(reader, [])
        except csv.Error:  # longer than is read at all
            return line.rstrip("\r\n").split(self._delimiter)
        return cells if reader.line_num == 1 else None

    def _several(self, at: int) -> tuple[int, list[str]]:
        """How many lines were read, and the cells of the record in them; no cells where it is not quoted properly."""
        reader = csv.reader(self._ahead(at), delimiter=self._delimiter, strict=True)
        try:
            cells = next(reader, [])
        except csv.Error:
            cells = []
        return reader.line_num, cells

    def _ahead(self, at: int) -> Iterator[str]:
        left = self._left
        for number in range(at, len(self.lines)):
            if left <= 0:
                return
            yield self.lines[number]
            left -= len(self.lines[number])

    def _holds_rows(self, at: int, taken: int, width: int) -> bool:
        """Whether lines that a record swallowed are rows themselves: all between its first and its last, or the last.

        A cell of several lines ends with a mark that no row of its own would have, so that the last line is sure.
        """
        blank = f"\r\n\t {self._delimiter}"
        inside = [line for n in range(at + 1, at + taken - 1) if (line := self.lines[n]).strip(blank)]
        last = self.lines[at + taken - 1]
        own = self._is_proper(last) and len(self._alone(last) or ()) == width
        return own or (bool(inside) and all(self._is_row(line, width) for line in inside))

    def _is_proper(self, line: str) -> bool:
        """Whether every mark of the line opens a cell, closes one, or is doubled within one."""
        return self._proper.fullmatch(line.rstrip("\r\n")) is not None

    def _is_row(self, line: str, width: int) -> bool:
        """Whether a line has the header's number of cells and is not like prose, which has blanks after commas."""
        cells = self._alone(line) or []
        return len(cells) == width and not any(cell[:1].isspace() for cell in cells[1:])
