"""Folders that are whole or absent: 0700, their files 0600, written beside their place and then moved into it.

A folder that exists is changed in place, since somebody may stand in it: everything new is written to a folder inside
first, then moved file by file. What an interruption leaves is seen by `verify` and mended by the same command again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared_model.files import naming_disk_errors, write_bytes

INCOMING = ".incoming"


class FolderChange:
    """A folder to be made, or changed where it exists, in two steps: prepare() may fail, commit() only renames.

    files: path in the folder -> content. last: the file that makes the others count, moved after them. move: files of
    the folder to rename before that (from, to); remove: files to delete afterwards.
    """

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, bytes],
        *,
        last: str = "",
        move: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._files = files
        self._last = last
        self._move = dict(move or {})
        self._remove = remove
        self._changes = folder.is_dir() and any(folder.iterdir())
        self._staged: Path | None = None

    def prepare(self) -> None:
        """Write everything to the disk. Raises RunError and leaves nothing behind."""
        folder = self.folder
        with naming_disk_errors(folder):
            try:
                if self._changes:
                    self._staged = folder / INCOMING
                    shutil.rmtree(self._staged, ignore_errors=True)
                    self._staged.mkdir(mode=0o700)
                else:
                    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    _clear_leftovers(folder)
                    self._staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.new-"))
                for name, content in self._files.items():
                    _make_parents(self._staged, name)
                    write_bytes(self._staged / name, content)  # 0600
            except BaseException:
                self.discard()
                raise

    def commit(self) -> None:
        """Move what was prepared into its place."""
        assert self._staged is not None  # prepare() came first
        with naming_disk_errors(self.folder):
            if not self._changes:
                os.rename(self._staged, self.folder)
                return
            for origin, place in self._move.items():
                _make_parents(self.folder, place)
                os.replace(self.folder / origin, self.folder / place)
            for name in sorted(self._files, key=lambda name: name == self._last):
                _make_parents(self.folder, name)
                os.replace(self._staged / name, self.folder / name)
            for name in self._remove:
                (self.folder / name).unlink(missing_ok=True)
            shutil.rmtree(self._staged)

    def discard(self) -> None:
        """Delete what was prepared; nothing has changed."""
        if self._staged is not None:
            shutil.rmtree(self._staged, ignore_errors=True)


def make_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make one folder. Raises RunError."""
    change = FolderChange(folder, files)
    change.prepare()
    change.commit()


def _clear_leftovers(folder: Path) -> None:
    """Delete what an interrupted command left beside `folder`: it may hold keys."""
    for left in folder.parent.glob(f".{folder.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)


def _make_parents(folder: Path, name: str) -> None:
    place = folder
    for part in Path(name).parts[:-1]:
        place /= part
        place.mkdir(mode=0o700, exist_ok=True)
