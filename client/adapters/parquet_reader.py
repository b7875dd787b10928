"""A process of its own that reads a Parquet file: the library may end its process on a damaged one.

Run by `client.adapters.parquet` as a script, so that it imports nothing but pyarrow; its request comes on
standard input and its answer goes to standard output, both as lines of JSON. Every column of every batch is
sent as its different texts and which row has which, so that a text in a million rows is held once; a text that is too
long is sent as null.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_MEMORY = 6 * 2**30  # of address space; a table at the limit needs well under half
_BATCH = 4096  # rows


def answers(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """First {"columns": all names}, then a line a batch: name -> [texts, index of every row]; or {"problem"}.

    request: path, wanted (names in lower case), bytes (what all columns may fill), cell (the longest text).
    """
    file = pq.ParquetFile(request["path"], page_checksum_verification=True)
    schema = file.schema_arrow
    names = [name.strip().casefold() for name in schema.names]
    if problem := _problem(schema, names, request["wanted"]):
        yield problem
        return
    yield {"columns": names}
    kept = {name: real for name, real in zip(names, schema.names, strict=True) if name in request["wanted"]}
    texts = [real for real in kept.values() if _is_text(schema.field(real).type)]
    file = pq.ParquetFile(request["path"], page_checksum_verification=True, read_dictionary=texts)
    unpacked = 0
    for batch in file.iter_batches(_BATCH, columns=list(kept.values()), use_threads=False):
        batch.validate(full=True)  # a damaged page can point outside its own dictionary
        unpacked += batch.nbytes
        if unpacked > request["bytes"]:
            yield {"problem": "large"}
            return
        columns = {name: _column(batch.column(real), request["cell"]) for name, real in kept.items()}
        yield {"rows": batch.num_rows, "cells": columns}


def _problem(schema: pa.Schema, names: list[str], wanted: list[str]) -> dict[str, str] | None:
    for name, real in zip(names, schema.names, strict=True):
        if names.count(name) > 1:
            return {"problem": "twice", "column": real}
        kind = schema.field(real).type
        if name in wanted and pa.types.is_nested(kind):
            return {"problem": "nested", "column": real}
        if name in wanted and _is_bytes(kind):
            return {"problem": "bytes", "column": real}
    return None


def _column(column: pa.Array, longest: int) -> tuple[list[str | None], list[int]]:
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    if not isinstance(coded, pa.DictionaryArray):  # a column of nulls has no dictionary
        return [""], [0] * len(column)
    texts = [text if len(text) <= longest else None for text in _texts(coded.dictionary)]
    return [*texts, ""], [len(texts) if at is None else at for at in coded.indices.to_pylist()]


def _texts(values: pa.Array) -> list[str]:
    kind = values.type
    if not pa.types.is_temporal(kind) or pa.types.is_time(kind):
        return [_text(value) for value in values.to_pylist()]
    # Arrow writes moments that Python's datetime cannot hold; a time zone's own date is the one meant.
    local = pc.local_timestamp(values) if pa.types.is_timestamp(kind) and kind.tz is not None else values
    return ["" if text is None else _moment(text) for text in local.cast(pa.string()).to_pylist()]


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
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return bool(binary or pa.types.is_fixed_size_binary(kind))


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has this limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the table


def main() -> int:
    """Answer the one request on standard input; 1 where the file cannot be read."""
    _limit_memory()
    try:
        for answer in answers(json.loads(sys.stdin.readline())):
            sys.stdout.write(json.dumps(answer) + "\n")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        return 1  # the library's own words may quote the file's content
    sys.stdout.write("{}\n")  # the end, so that a broken pipe is not taken for a short table
    return 0


if __name__ == "__main__":
    sys.exit(main())
