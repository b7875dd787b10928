"""Reads the mapped columns of a Parquet file as rows of text, like those of a CSV table.

Types are kept as far as they say something (dates, yes or no, whole numbers) and written as text, so that one
set of rules reads every table. Only the columns that are mapped are read. A few kilobytes of Parquet can stand
for gigabytes: texts stay coded as dictionaries while they are read, and what they would fill is bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from client.adapters.delimited import MAX_BYTES, MAX_CELL, Row, Table
from shared_model.errors import DataError

MAGIC = b"PAR1"
_MAX_CELLS = 50_000_000
_BATCH = 4096  # rows


def read_parquet(path: Path, wanted: Collection[str]) -> Table:
    """The columns of `wanted` (lower case) that the file has, and its rows, counted from 1.

    `columns` of the table are all that the file has. Raises DataError for a file that cannot be read, is
    implausibly large, names a column twice, or holds lists, structures or bytes in a mapped column.
    """
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        names = _names(path, file)
        kept = {name: column for name, column in names.items() if name in wanted}
        _check(path, file, kept)
        texts = [c for c in kept.values() if _is_text(file.schema_arrow.field(c).type)]
        file = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=texts)
        rows = tuple(_rows(path, file, list(kept), list(kept.values())))
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError):
        # The library's own text may quote the file's content.
        raise DataError(
            "The table cannot be read as Parquet.",
            where=str(path),
            fix="Export it again, or save it as CSV, and check that the copy is complete.",
        ) from None
    return Table(path, tuple(names), rows)


def _names(path: Path, file: pq.ParquetFile) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in file.schema_arrow.names:
        name = column.strip().casefold()
        if name in names:
            raise DataError(
                "The table names the same column twice (capitals do not count).",
                where=f"{path}, column {column}",
                fix="Keep one of them.",
            )
        names[name] = column
    return names


def _check(path: Path, file: pq.ParquetFile, kept: dict[str, str]) -> None:
    for column in kept.values():
        kind = file.schema_arrow.field(column).type
        if pa.types.is_nested(kind) or _is_bytes(kind):
            raise DataError(
                f"A mapped column holds {'bytes' if _is_bytes(kind) else 'lists or structures'}, not single values.",
                where=f"{path}, column {column}",
                fix="Export the table with one text, number or date in a cell.",
            )
    metadata = file.metadata
    unpacked = sum(
        metadata.row_group(group).column(index).total_uncompressed_size
        for group in range(metadata.num_row_groups)
        for index in range(metadata.num_columns)
        if metadata.row_group(group).column(index).path_in_schema in kept.values()
    )
    if unpacked > MAX_BYTES or metadata.num_rows * max(1, len(kept)) > _MAX_CELLS:
        raise _too_large(path)


def _rows(path: Path, file: pq.ParquetFile, names: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    number = unpacked = 0
    for batch in file.iter_batches(_BATCH, columns=list(columns), use_threads=False):
        unpacked += batch.nbytes
        if unpacked > MAX_BYTES:
            raise _too_large(path)
        cells = [_texts(path, batch.column(column)) for column in columns]
        for values in zip(*cells, strict=True):
            number += 1
            yield Row(number, dict(zip(names, values, strict=True)))


def _texts(path: Path, column: pa.Array) -> list[str]:
    if isinstance(column, pa.DictionaryArray):  # each different text once, then shared
        known = _texts(path, column.dictionary)
        return ["" if index is None else known[index] for index in column.indices.to_pylist()]
    if pa.types.is_temporal(column.type) and not pa.types.is_time(column.type):
        return ["" if text is None else _moment(text) for text in _as_text(column).to_pylist()]
    if _is_text(column.type) and (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CELL:
        raise DataError(
            "The table cannot be read: a cell is implausibly long.", where=str(path), fix="Shorten the cell."
        )
    return [_text(value) for value in column.to_pylist()]


def _as_text(column: pa.Array) -> pa.Array:
    # Arrow writes moments that Python's datetime cannot hold; a time zone's own date is the one meant.
    local = pa.types.is_timestamp(column.type) and column.type.tz is not None
    return (pc.local_timestamp(column) if local else column).cast(pa.string())


def _moment(text: str) -> str:
    return text.replace(" ", "T", 1) if " " in text else f"{text}T00:00:00"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _too_large(path: Path) -> DataError:
    return DataError(
        "The table is implausibly large.",
        where=str(path),
        fix=f"Give a table of at most {MAX_BYTES // 2**20} MB, unpacked.",
    )
