"""Removes everything the system keeps at a site, the key last.

Only files that client/site/contents.py describes are touched; anything else in the folder is left and named. No
key is needed, so that a site that lost it can still clean up. Deleting a file does not wipe a disk: what makes the
sealed contents unreadable, on the disk, in snapshots and in backups, is that the key is gone. A copy of the key
that was kept elsewhere undoes that, and so it must be destroyed as well. What was told is not taken back: the stored
answers go too, so that after a purge a coordinator who kept the first answer can subtract a new one from it, unless
many patients have changed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from client.site.contents import ANSWERS, CONTENTS, FEATURES, LEDGER, LOCK, WORKER, files, named
from client.site.lock import SiteLock
from client.vault.key import is_key
from shared_model.files import naming_disk_errors


@dataclass(frozen=True)
class Kept:
    """One file that purge would remove: its path, what it is, its size in bytes, whether patients could be read."""

    path: Path
    what: str
    bytes: int
    patient_data: bool


@dataclass(frozen=True)
class Purged:
    """removed: how many files; left: what is not FedFundus's or could not be removed, and why."""

    removed: int
    left: tuple[str, ...]


def listing(folder: Path, key_file: Path) -> list[Kept]:
    """What purge would remove, in its order, the key last. Nothing is changed."""
    found = [
        Kept(path, content.what, path.lstat().st_size, content.patient_data)
        for content in CONTENTS
        if content.name != "lock"
        for path in files(folder, content)
        if path.absolute() != key_file.absolute()
    ]
    if is_key(key_file):
        what = named("site key").what
        found.append(Kept(key_file, what, key_file.stat().st_size, patient_data=False))
    return found


def purge(folder: Path, key_file: Path) -> Purged:
    """Remove everything that `listing` names; the folder stays, empty unless others keep something in it.

    Interrupted, it can be run again. Raises RunError where another command of the site runs.
    """
    if not folder.is_dir():
        return Purged(0, ())
    removed = 0
    left: list[str] = []
    with SiteLock(folder / LOCK).hold("purge"):
        for kept in listing(folder, key_file):
            try:
                _remove(kept.path)
                removed += 1
            except OSError as error:
                left.append(f"{kept.path}: {os.strerror(error.errno or 0)}; remove it yourself")
        _remove_empty_folders(folder)
        with naming_disk_errors(folder):
            (folder / LOCK).unlink(missing_ok=True)
    left += [f"{path}: not made by FedFundus" for path in sorted(folder.iterdir())]
    return Purged(removed, tuple(left))


def _remove(path: Path) -> None:
    if is_key(path):  # its bytes too, for what they are worth on a disk that writes elsewhere
        with path.open("r+b") as stream:
            stream.write(secrets.token_bytes(os.fstat(stream.fileno()).st_size))
            stream.flush()
            os.fsync(stream.fileno())
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _remove_empty_folders(folder: Path) -> None:
    for name in (ANSWERS, FEATURES, LEDGER, WORKER):
        for parent, _, _ in os.walk(folder / name, topdown=False):
            with contextlib.suppress(OSError):  # somebody else's file lies in it
                os.rmdir(parent)
