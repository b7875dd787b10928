"""How much disk space the files of a folder may take together, held to by every process that adds to them.

Each asks before every write, one at a time: a bound that was worked out before a build says nothing of what others
build meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from client.cache.feature_file import FEATURES, INDEX
from shared_model.files import naming_disk_errors

GB = 1e9
_RESERVE = 1 * GB  # of the disk, left to others; less of a small one
_HEADERS = 64  # bytes of a file beside its entries
_LOCK = f".room{FEATURES}"  # an ending that purging a site knows; no feature file begins with a dot


@dataclass(frozen=True)
class Room:
    """maximum: bytes that all feature files of the folder may take together."""

    folder: Path
    maximum: float

    def within_maximum(self) -> float:
        """Bytes that the maximum leaves, negative where there is more already."""
        return self.maximum - sum(_size(path) for path in self.folder.glob("[!.]*"))

    def on_disk(self) -> float:
        """Bytes that the disk has free beyond what is left to others."""
        disk = shutil.disk_usage(self.folder)
        return disk.free - min(_RESERVE, disk.total / 20)

    def left(self, *, begun: bool) -> int:
        """Bytes of entries that a file may take on. begun: it has its headers already."""
        return int(min(self.within_maximum(), self.on_disk())) - (0 if begun else _HEADERS)

    @contextmanager
    def held(self, *, begun: bool) -> Iterator[int]:
        """`left`, while no other process takes any of it. Raises RunError where the folder refuses."""
        with naming_disk_errors(self.folder):
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with naming_disk_errors(self.folder):
                fcntl.flock(lock, fcntl.LOCK_EX)
                left = self.left(begun=begun)
            yield left
        finally:
            os.close(lock)


def _size(path: Path) -> int:
    if path.suffix in (FEATURES, INDEX):
        with suppress(FileNotFoundError):  # removed meanwhile
            return path.stat().st_size
    return 0
