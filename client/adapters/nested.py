"""Finds photographs that lie in sub-folders, by their name or by as much of a path as a cell gives.

A hospital's export often writes paths of the machine that made it. A cell is only ever compared, from its end,
with the paths that the folder really holds: `..`, drives and absolute paths open nothing. Where two
photographs fit, neither is taken.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from client.adapters.photographs import ENDINGS, Photographs
from client.adapters.values import Unusable

AMBIGUOUS = "several photographs have this name in different folders"


class NestedPhotographs(Photographs):
    """The photographs of a folder and, where `subfolders`, of every folder in it; links are not followed.

    names_only: whether the folders in a cell are ignored, for cells with paths that exist elsewhere only.
    """

    def __init__(self, folder: Path, *, subfolders: bool = True, names_only: bool = False) -> None:
        self.folder = os.path.abspath(folder)
        self._names_only = names_only
        self._by_name: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._all: list[str] = []
        for where, folders, files in os.walk(self.folder):
            folders[:] = sorted(folders) if subfolders else []
            for name in sorted(files):
                self._keep(where, name)

    def __len__(self) -> int:
        return len(self._all)

    def find(self, name: str) -> str | None:
        """Path of the photograph that a cell names, with or without folders and ending; None where there is none.

        Raises Unusable where several fit.
        """
        *folders, last = _parts(name) or [""]
        if not last or ".." in folders:
            return None
        stem, ending = os.path.splitext(last)
        known = self._by_name.get(stem if ending in ENDINGS else last, [])
        fitting = [
            (parts, path) for parts, path in known if self._names_only or _agree(folders, parts, self.folder)
        ]
        exact = [path for parts, path in fitting if parts[-1] == last]
        paths = exact or [path for _, path in fitting]
        if len(paths) > 1:
            raise Unusable(AMBIGUOUS)
        return paths[0] if paths and os.path.isfile(paths[0]) else None

    def others(self, named: Collection[str]) -> tuple[str, ...]:
        """Paths of the photographs that are not among `named`."""
        return tuple(path for path in self._all if path not in named)

    def _keep(self, where: str, name: str) -> None:
        stem, ending = os.path.splitext(name.casefold())
        if ending not in ENDINGS:
            return
        path = os.path.join(where, name)
        self._all.append(path)
        if _is_text(path):
            inside = tuple(_parts(os.path.relpath(path, self.folder)))
            self._by_name.setdefault(stem, []).append((inside, path))


def _agree(folders: list[str], inside: tuple[str, ...], root: str) -> bool:
    """Whether the folders in a cell are those of a file, up to and with the folder of photographs itself.

    What a cell has above that is of the machine that wrote it.
    """
    own = [*_parts(root)[-1:], *inside[:-1]]
    compared = min(len(folders), len(own))
    return compared == 0 or folders[-compared:] == own[-compared:]


def _parts(path: str) -> list[str]:
    return [part for part in path.casefold().replace("\\", "/").split("/") if part not in ("", ".")]


def _is_text(path: str) -> bool:
    """Whether the name is proper text; one in another encoding can be listed, not named in a table."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
