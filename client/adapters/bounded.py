"""Reads a whole file that somebody handed over, unless it is far larger than such a file can be."""

from __future__ import annotations

from pathlib import Path

from shared_model.errors import DataError


def read_bounded(path: Path, most: int, *, called: str, kind: str) -> bytes:
    """Its content. most: bytes; called, kind: "table" and "CSV file", for the words of the DataError it raises."""
    try:
        if path.stat().st_size > most:
            raise DataError(
                f"The {called} is implausibly large.",
                where=str(path),
                fix=f"Give a {kind} of at most {most // 2**20} MB.",
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The {called} cannot be opened: {error.strerror}.", where=str(path), fix="Check its permissions."
        ) from None
