"""Turns a hospital's own folder into canonical records; one module an adapter, one shape for all.

A module of this package that defines `read(folder, *, mask_notes) -> Loaded` is an adapter under the module's
name, so that adding one takes one file. Rows that cannot be used are quarantined with their reason, never
dropped silently and never fatal on their own.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pandas as pd

from shared_model.errors import ConfigError, DataError

QUARANTINE_COLUMNS = ("row", "record", "column", "reason")


@dataclass(frozen=True)
class Loaded:
    """What a folder gave.

    table: the canonical table (shared_model.records), validated.
    quarantine: one row a problem that cost a record: row (line of the source file, its header being 1),
        record, column, reason.
    notices: sentences for the person, without patient values.
    lines: record -> line of the source file, for problems found later.
    """

    table: pd.DataFrame
    quarantine: pd.DataFrame
    notices: list[str]
    lines: Mapping[str, int] = field(default_factory=dict)


Reader = Callable[..., Loaded]


def adapters() -> dict[str, Reader]:
    """The adapters there are, by name."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    readers = {m.__name__.rpartition(".")[2]: getattr(m, "read", None) for m in modules}
    return {name: cast(Reader, read) for name, read in readers.items() if read}


def load(folder: Path, adapter: str = "brset", *, mask_notes: bool = True) -> Loaded:
    """The records of a folder through the named adapter.

    mask_notes: whether `masked_note` leaves out the sentences that state the grade; False is the paper's way,
    in which grading reads the grade in the note. Raises ConfigError for an adapter that does not exist and
    DataError for a folder that cannot be used at all.
    """
    known = adapters()
    if adapter not in known:
        raise ConfigError(
            f"There is no adapter called {adapter!r}.", where="adapter", fix=f"Use one of {sorted(known)}."
        )
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            "The data folder does not exist." if not folder.exists() else "The data folder is not a folder.",
            where=str(folder),
            fix="Give the folder that holds the table of labels and the photographs.",
        )
    return known[adapter](folder, mask_notes=mask_notes)


def quarantine_table(rows: list[tuple[int, str, str, str]]) -> pd.DataFrame:
    """The quarantine table of (row, record, column, reason)."""
    frame = pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))
    return frame.astype({"row": "int64", "record": "str", "column": "str", "reason": "str"})
