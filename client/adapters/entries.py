"""Reads a JSON list of objects, `[{name: {field: text}}, ...]`, entry by entry, however it is damaged.

Names that occur twice are kept apart, where a dictionary would lose one silently; an entry of another shape is
an entry with a problem. Size and depth are bounded, and text is made proper Unicode.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from client.adapters.bounded import read_bounded
from client.adapters.quoting import MAX_CELL, TOO_LONG
from shared_model.errors import DataError

MAX_BYTES = 64 * 2**20  # DeepEyeNet's largest list is some 4 MB


@dataclass(frozen=True)
class Entry:
    """One name and its fields; fields that are no text are left out.

    number: its place in the list, from 1. problem: why it cannot be used, "" where it can.
    """

    number: int
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class _Pairs(list[tuple[str, object]]):
    """An object as JSON wrote it, with names that occur twice."""


def read_entries(path: Path) -> list[Entry]:
    """The entries of a file, an object with several names being as many entries.

    Raises DataError for a file that cannot be read, is implausibly large or deep, is not JSON, or no list.
    """
    parsed = _parsed(path, read_bounded(path, MAX_BYTES, called="file", kind="file"))
    items = [parsed] if isinstance(parsed, _Pairs) else parsed
    if not isinstance(items, list):
        raise DataError(
            "The file holds no list of entries.", where=str(path), fix="Give the file as published."
        )
    entries: list[Entry] = []
    for item in items:
        entries += _entries(len(entries) + 1, item)
    return entries


def _entries(number: int, item: object) -> Iterator[Entry]:
    if not isinstance(item, _Pairs) or not item:
        yield Entry(number, problem="the entry is not an object with the name of a photograph")
        return
    for at, (name, value) in enumerate(item, start=number):
        text = _proper(name).strip()
        if not isinstance(value, _Pairs):
            yield Entry(at, text, problem="the entry has no fields")
            continue
        names = [_plain(key) for key, _ in value]
        twice = len(set(names)) < len(names)
        fields = {
            key: _proper(said) for key, (_, said) in zip(names, value, strict=True) if isinstance(said, str)
        }
        problem = "the entry has the same field twice" if twice else ""
        if any(len(said) > MAX_CELL for said in (text, *fields.values())):
            yield Entry(at, text[:MAX_CELL], problem=TOO_LONG)
            continue
        yield Entry(at, text, fields, problem)


def _plain(key: str) -> str:
    return _proper(key).strip().casefold().replace("_", "-")


def _proper(text: str) -> str:
    # JSON can write half a surrogate pair, which no other text can hold.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _parsed(path: Path, content: bytes) -> object:
    fix = "Copy the file again; a text editor that knows JSON shows the place."
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except RecursionError:
        raise DataError("The file is nested too deeply.", where=str(path), fix=fix) from None
    except json.JSONDecodeError as error:
        raise DataError(
            "The file is not JSON.", where=f"{path}, line {error.lineno}: {error.msg}", fix=fix
        ) from None
    except ValueError:  # not UTF-8, or a number of thousands of digits
        raise DataError("The file is not JSON in UTF-8.", where=str(path), fix=fix) from None
