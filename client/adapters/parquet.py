"""Reads the mapped columns of a Parquet file as rows of text, like those of a CSV table.

Types are kept as far as they say something (dates, yes or no, whole numbers) and written as text, so that one
set of rules reads every table. The file is opened in a process of its own, with bounded memory and time: a
few damaged bytes make the library abort its process, and a few kilobytes can stand for gigabytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from client.adapters.delimited import MAX_BYTES, Row, Table
from client.adapters.quoting import MAX_CELL, TOO_LONG
from shared_model.errors import DataError

MAGIC = b"PAR1"
MAX_ROWS = 1_000_000
SECONDS = 300.0  # for the whole file
_READER = Path(__file__).with_name("parquet_reader.py")

_SAYS: Mapping[str, tuple[str, str]] = {
    "": (
        "The table cannot be read as Parquet.",
        "Export it again, or save it as CSV, and check that the copy is complete.",
    ),
    "twice": ("The table names the same column twice (capitals do not count).", "Keep one of them."),
    "nested": (
        "A mapped column holds lists or structures, not single values.",
        "Export the table with one text, number or date in a cell.",
    ),
    "bytes": (
        "A mapped column holds bytes, not single values.",
        "Export the table with one text, number or date in a cell.",
    ),
    "large": (
        "The table is implausibly large.",
        f"Give a table of at most {MAX_BYTES // 2**20} MB, unpacked, and {MAX_ROWS} rows.",
    ),
}


def read_parquet(path: Path, wanted: Collection[str]) -> Table:
    """The columns of `wanted` (lower case) that the file has, and its rows, counted from 1.

    `columns` of the table are all that the file has. Raises DataError for a file that cannot be read, is
    implausibly large, names a column twice, or holds lists, structures or bytes in a mapped column.
    """
    request = {"path": str(path), "wanted": sorted(wanted), "bytes": MAX_BYTES, "cell": MAX_CELL}
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    for answer in _answers(path, request):
        if "problem" in answer:
            raise _error(path, answer["problem"], answer.get("column", ""))
        columns = tuple(answer.get("columns", columns))
        try:
            rows += _rows(answer, len(rows))
        except (IndexError, TypeError, ValueError):  # what Arrow gave of a damaged file does not fit together
            raise _error(path, "") from None
        if len(rows) > MAX_ROWS:
            raise _error(path, "large")
    return Table(path, columns, tuple(rows))


def _rows(answer: Mapping[str, Any], before: int) -> Iterator[Row]:
    cells: Mapping[str, tuple[list[str | None], list[int]]] = answer.get("cells", {})
    for at in range(answer.get("rows", 0)):
        said = {name: texts[which[at]] for name, (texts, which) in cells.items()}
        problem = TOO_LONG if None in said.values() else ""
        yield Row(before + at + 1, {name: text or "" for name, text in said.items()}, problem)


def _answers(path: Path, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the reading process says, line by line; DataError where it does not come to its end."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(_READER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a dying library says may quote the file
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        encoding="utf-8",
    )
    clock = threading.Timer(SECONDS, process.kill)
    clock.start()
    ended = False
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.close()
        for line in process.stdout:
            answer: dict[str, Any] = json.loads(line)
            ended = not answer or "problem" in answer
            yield answer
    except (ValueError, OSError):
        ended = False
    finally:
        clock.cancel()
        process.kill()
        process.wait()
    if not ended:
        raise _error(path, "")


def _error(path: Path, problem: str, column: str = "") -> DataError:
    what, fix = _SAYS[problem]
    return DataError(what, where=f"{path}, column {column}" if column else str(path), fix=fix)
