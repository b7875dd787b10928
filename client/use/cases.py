"""Which photographs are to be looked at: all in a folder, or those that an adapter reads with what it knows of them.

Every file that could be a photograph becomes a case, and so does every row of a table that was set aside: one that
cannot be read or used has its reason, and none is lost.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from client.adapters import Loaded, load
from client.adapters.photographs import ENDINGS
from client.rights.exclude import excluded
from client.site.config import SiteConfig
from client.site.state import SiteState
from shared_model.errors import DataError, FedFundusError
from shared_model.records import build
from shared_model.wording import counted

_DICOM = (".dcm", ".dicom")
_STRANGE = "the name of the file is not UTF-8: rename it"


@dataclass(frozen=True)
class SetAside:
    """A row of the site's table that cannot be used: its record and patient as the table writes them, and why."""

    record: str
    patient: str
    reason: str


@dataclass(frozen=True)
class Cases:
    """table: canonical records, one a photograph, under the site's own names. nameless: records whose patient nobody
    knows (patient_id is then the record). set_aside: rows without a photograph to look at. notices: for the operator.
    site: whose records they are, None without a site.toml.
    """

    folder: Path
    table: pd.DataFrame
    nameless: frozenset[str]
    set_aside: tuple[SetAside, ...] = ()
    notices: tuple[str, ...] = ()
    site: SiteConfig | None = None

    def __len__(self) -> int:
        return len(self.table) + len(self.set_aside)

    def name(self, path: str) -> str:
        """A photograph's file as it is called within the folder."""
        return os.path.relpath(path, self.folder)


def cases_of_folder(folder: Path) -> Cases:
    """Every photograph below a folder, nothing known of any. Raises DataError for a folder without one."""
    _require_folder(folder)
    unread: list[OSError] = []
    paths, others = [], 0
    for path in _files(folder, unread):
        if _may_be_photograph(path):
            paths.append(path)
        else:
            others += 1
    if not paths:
        what = "There is no photograph in the folder." if others else "The folder is empty."
        raise DataError(
            what,
            where=str(folder),
            fix=f"Give a folder that holds {', '.join(ENDINGS)} or DICOM files, in any of its folders.",
        )
    notices = [f"{counted(others, 'file')} of other kinds passed over."] if others else []
    if unread:
        notices.append(
            f"{counted(len(unread), 'folder')} below it cannot be opened: nothing in there is graded."
        )
    bare = _bare(paths, folder)
    said = (*notices, *_hint(folder))
    return Cases(folder, bare, frozenset(bare["record_id"]), _strange(paths, folder), said)


def cases_of_table(folder: Path, adapter: str, *, mask_notes: bool) -> Cases:
    """The records of a data folder through an adapter, with their notes and values, and what no row names."""
    return _of_loaded(folder, load(folder, adapter, mask_notes=mask_notes, allow_empty=True))


def cases_of_site(config: SiteConfig, *, mask_notes: bool) -> Cases:
    """As cases_of_table for a site.toml, without the patients who are excluded."""
    loaded = load(
        config.folder,
        config.data.adapter,
        options=config.options,
        mask_notes=mask_notes,
        mask_identifiers=config.policy.mask_identifiers,
        allow_empty=True,
    )
    cases = replace(_of_loaded(config.folder, loaded), site=config)
    if not config.state.exists():
        return cases
    state = SiteState.open(config.state, config.key, encrypt=config.storage.encrypt)
    return _without(cases, excluded(state), state)


def _of_loaded(folder: Path, loaded: Loaded) -> Cases:
    lost = loaded.quarantine.groupby("row", sort=True)
    set_aside = tuple(
        SetAside(str(rows["record"].iloc[0]), loaded.owners.get(int(str(row)), ""), "; ".join(rows["reason"]))
        for row, rows in lost
    )
    bare = _bare(loaded.unclaimed, folder, taken=set(loaded.table["record_id"]))
    set_aside += _strange(loaded.unclaimed, folder)
    table = pd.concat([loaded.table, bare], ignore_index=True) if len(bare) else loaded.table
    if not len(table) and not set_aside:
        raise DataError(
            "There is no photograph in the folder.", where=str(folder), fix="Give another folder."
        )
    notices = list(loaded.notices)
    if len(bare):
        notices.append(f"{counted(len(bare), 'photograph')} in no row of the table: read on their own.")
    return Cases(folder, table, frozenset(bare["record_id"]), set_aside, tuple(notices))


def _without(cases: Cases, barred: Collection[str], state: SiteState) -> Cases:
    if not barred:
        return cases
    names = {name: state.patient(name) in barred for name in cases.table["patient_id"].unique()}
    kept = cases.table[~cases.table["patient_id"].map(names).astype(bool)].reset_index(drop=True)
    rows = tuple(
        row for row in cases.set_aside if not row.patient or state.patient(row.patient) not in barred
    )
    gone = len(cases) - len(kept) - len(rows)
    if not gone:
        return cases
    if not len(kept):
        raise DataError("All patients of these photographs are excluded.", fix="Give other photographs.")
    said = f"{counted(gone, 'photograph')} of excluded patients left out."
    return replace(cases, table=kept, set_aside=rows, notices=(*cases.notices, said))


def _files(folder: Path, unread: list[OSError]) -> Iterator[str]:
    """Paths in order, without what is hidden (`._x.jpg` is what a Mac leaves beside x.jpg)."""
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.join(place, name)


def _may_be_photograph(path: str) -> bool:
    ending = os.path.splitext(path)[1].casefold()
    if ending in (*ENDINGS, *_DICOM):
        return True
    try:
        with open(path, "rb") as file:  # exports of a PACS often have no ending
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _bare(paths: Collection[str], folder: Path, taken: Collection[str] = ()) -> pd.DataFrame:
    """Records of photographs of which nothing is known; each its own patient, as far as anybody can tell."""
    readable = [path for path in paths if _is_text(path)]
    names = [os.path.relpath(path, folder) for path in readable]
    names = [f"{name} (in no row)" if name in taken else name for name in names]
    return build({"record_id": names, "patient_id": names, "image_path": readable})


def _strange(paths: Collection[str], folder: Path) -> tuple[SetAside, ...]:
    """Files whose names no table can hold."""
    names = (os.path.relpath(path, folder) for path in paths if not _is_text(path))
    return tuple(SetAside(os.fsencode(name).decode("utf-8", "replace"), "", _STRANGE) for name in names)


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _hint(folder: Path) -> list[str]:
    """That the folder would tell more if it were read as what it is."""
    from client.site.init import recognise

    try:
        adapter = recognise(folder)
    except FedFundusError:
        return []
    return [f"Only the photographs are read; with --adapter {adapter} notes, values and patients are too."]


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        said = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"The folder of photographs {said}.", where=str(folder), fix="Give a folder.")
