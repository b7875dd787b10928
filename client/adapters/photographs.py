"""Finds the photographs a table names, without ever building a path from a cell.

Names are compared without case and without their ending, against what the folder really holds; a hostile id
such as `../../x` therefore matches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from shared_model.errors import DataError

# What client.data.pipeline reads; where one name has several, the first of these is taken.
ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


class Photographs:
    """The photographs of one folder. Raises DataError where there is no such folder inside `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = _subfolder(folder, name)
        self._paths: dict[str, str] = {}
        for entry in sorted(os.listdir(self.folder), key=_preference, reverse=True):
            stem, ending = os.path.splitext(entry)
            if ending.casefold() in ENDINGS:
                self._paths[stem.casefold()] = os.path.join(self.folder, entry)

    def __len__(self) -> int:
        return len(self._paths)

    def find(self, name: str) -> str | None:
        """Path of the photograph with this name, with or without its ending; None where there is none."""
        wanted = name.casefold()
        stem, ending = os.path.splitext(wanted)
        path = self._paths.get(stem if ending in ENDINGS else wanted)
        return path if path is not None and os.path.isfile(path) else None

    def others(self, named: Collection[str]) -> tuple[str, ...]:
        """Paths of the photographs that are not among `named`."""
        return tuple(sorted(path for path in self._paths.values() if path not in named))


def _preference(entry: str) -> tuple[int, str]:
    ending = os.path.splitext(entry)[1].casefold()
    return (ENDINGS.index(ending) if ending in ENDINGS else len(ENDINGS), entry)


def _subfolder(folder: Path, name: str) -> str:
    for entry in sorted(os.listdir(folder)):
        if entry.casefold() == name and (folder / entry).is_dir():
            return os.path.abspath(folder / entry)
    raise DataError(
        f"There is no folder of photographs called {name}/.",
        where=str(folder),
        fix=f"Put the photographs into {folder / name}.",
    )
