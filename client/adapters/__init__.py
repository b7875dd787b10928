"""Turns a hospital's own folder into canonical records; one module an adapter, one shape for all.

A module of this package that defines `read(source) -> Loaded` is an adapter under the module's name, so that
adding one takes one file. Rows that cannot be used are quarantined with their reason, never dropped silently
and never fatal on their own. Notes come from an adapter as they were written; `load` masks them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from client.data.identifiers import mask as masked_identifiers
from client.data.notes import mask_grade
from client.data.plausible import LONGER_THAN_LIFE, without_impossible
from shared_model.errors import ConfigError, DataError
from shared_model.records import TEXT, validate
from shared_model.wording import worded

_IMPOSSIBLE = (
    f"{{n}} diabetes [duration is|durations are] {LONGER_THAN_LIFE} and [is|are] treated as missing."
)
ABSENT = "the photograph is absent"
PROBLEM_COLUMNS = ("row", "record", "column", "reason")


@dataclass(frozen=True)
class Source:
    """Where an adapter reads: a folder, and the adapter's own section of site.toml ({} where there is none)."""

    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)


def problem_table(rows: list[tuple[int, str, str, str]]) -> pd.DataFrame:
    """A table of (row, record, column, reason): the quarantine, or values that could not be read."""
    frame = pd.DataFrame(rows, columns=list(PROBLEM_COLUMNS))
    return frame.astype({"row": "int64", "record": "str", "column": "str", "reason": "str"})


@dataclass(frozen=True)
class Loaded:
    """What a folder gave.

    table: the canonical table (shared_model.records), validated.
    quarantine: one row a problem that cost a record: row (line of the source file, its header being 1),
        record, column, reason.
    notices: sentences for the person, without patient values.
    lines: record -> line of the source file, for problems found later.
    unread: as quarantine, one row a value that was treated as missing; its record is used.
    unclaimed: paths of photographs in the folder that no row names.
    source: name of the file that `row` and `lines` count in.
    owners: row of a quarantined row -> its patient as the source writes it, where that can be read.
    hint: what to check where no photograph is found.
    repeated: those of the notices that a finding of `fedfundus-site check` says with the lines it is about.
    """

    table: pd.DataFrame
    quarantine: pd.DataFrame
    notices: list[str]
    lines: Mapping[str, int] = field(default_factory=dict)
    unread: pd.DataFrame = field(default_factory=lambda: problem_table([]))
    unclaimed: tuple[str, ...] = ()
    source: str = ""
    owners: Mapping[int, str] = field(default_factory=dict)
    hint: str = ""
    repeated: tuple[str, ...] = ()


Reader = Callable[[Source], Loaded]


def adapters() -> dict[str, Reader]:
    """The adapters there are, by name."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    readers = {m.__name__.rpartition(".")[2]: getattr(m, "read", None) for m in modules}
    return {name: cast(Reader, read) for name, read in readers.items() if read}


def load(
    folder: Path,
    adapter: str = "brset",
    *,
    options: Mapping[str, Any] | None = None,
    mask_notes: bool = True,
    mask_identifiers: bool = True,
    allow_empty: bool = False,
) -> Loaded:
    """The records of a folder through the named adapter.

    options: the adapter's own section of site.toml. mask_identifiers: whether names, numbers and addresses of
    people in notes become words such as `[name]`. mask_notes: whether `masked_note` leaves out the sentences
    that state the grade; False is the paper's way, in which grading reads the grade in the note. allow_empty:
    whether a table of which no row can be used gives its quarantine and no records, where it is otherwise a
    DataError. Raises ConfigError for an adapter that does not exist and DataError for a folder that cannot be used
    at all.
    """
    read, folder = _reader(adapter), Path(folder)
    if not folder.is_dir():
        raise DataError(
            "The data folder does not exist." if not folder.exists() else "The data folder is not a folder.",
            where=str(folder),
            fix="Give the folder that holds the table of labels and the photographs.",
        )
    loaded = read(Source(folder, options or {}))
    if loaded.table.empty and not allow_empty:
        raise _nothing_usable(folder, loaded)
    return _plausible(replace(loaded, table=_with_notes(loaded.table, mask_notes, mask_identifiers)))


def _reader(adapter: str) -> Reader:
    known = adapters()
    if adapter not in known:
        raise ConfigError(
            f"There is no adapter called {adapter!r}.", where="adapter", fix=f"Use one of {sorted(known)}."
        )
    return known[adapter]


def _plausible(loaded: Loaded) -> Loaded:
    """The same with a validated table, in which a value that cannot be true is missing and noted."""
    table, impossible = without_impossible(loaded.table)
    noted = problem_table([(loaded.lines.get(r, 0), r, column, why) for r, column, why in impossible])
    said = [worded(_IMPOSSIBLE, len(noted))] if impossible else []
    return replace(
        loaded,
        table=validate(table),
        unread=pd.concat([loaded.unread, noted], ignore_index=True),
        notices=[*loaded.notices, *said],
        repeated=(*loaded.repeated, *said),
    )


def _nothing_usable(folder: Path, loaded: Loaded) -> DataError:
    """What to say where no row is left. It says no row's reason, which may go where `what` goes, away from the site."""
    lost = loaded.quarantine["row"].nunique()
    said = f"all {lost} are set aside" if lost else "it has none"
    absent = loaded.quarantine["reason"].str.startswith(ABSENT).any() or not lost
    lists = "`fedfundus-site check` counts the reasons and `fedfundus-site quarantine` lists every row with its own."
    return DataError(
        f"No row of the table can be used: {said}.",
        where=f"{folder}: {loaded.source}",
        fix=" ".join([*([lists] if lost else []), *([loaded.hint] if absent and loaded.hint else [])]),
    )


def _with_notes(table: pd.DataFrame, mask_notes: bool, mask_identifiers: bool) -> pd.DataFrame:
    """The table with its notes masked, each different note once; a note of blanks is a missing note."""
    written = [note for note in table["note"].dropna().unique() if note.strip()]
    kept = {note: masked_identifiers(note) if mask_identifiers else note for note in written}
    graded = {note: mask_grade(text) if mask_notes else text for note, text in kept.items()}
    notes = {"note": table["note"].map(kept), "masked_note": table["note"].map(graded)}
    return table.assign(**{name: column.astype(TEXT) for name, column in notes.items()})
