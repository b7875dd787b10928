"""The pixels of a store of photographs on disk: an ordinary .npy file, or each photograph sealed on its own.

Sealed photographs all have the same length, so that any of them is found without reading the others. The seal of
each names the store, the position, the record and the pipeline: one that was altered or moved does not open.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from client.data.image_index import REBUILD, ImageIndex, unusable
from client.vault import OVERHEAD, Vault
from shared_model.errors import DataError

Array = NDArray[np.uint8]


class Pixels(Protocol):
    """The prepared photographs of a store, by position."""

    def batch(self, positions: NDArray[np.int64]) -> Array:
        """A copy of the pixels (len(positions), 3, size, size)."""


class PlainPixels:
    """A memory-mapped .npy file (N, 3, size, size) of uint8."""

    def __init__(self, path: Path, index: ImageIndex) -> None:
        try:
            self._array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            raise unusable(path, "absent or damaged") from None
        if self._array.shape != (len(index.kept), 3, index.size, index.size) or self._array.dtype != np.uint8:
            raise _torn(path)

    def batch(self, positions: NDArray[np.int64]) -> Array:
        """A copy of the pixels (len(positions), 3, size, size)."""
        return np.array(self._array[positions])


class SealedPixels:
    """Photographs sealed one by one, all of the same length, in a memory-mapped file."""

    def __init__(self, path: Path, index: ImageIndex, vault: Vault) -> None:
        self._path, self._index, self._vault = path, index, vault
        length = 3 * index.size**2 + OVERHEAD
        try:
            sealed: Array = np.memmap(path, dtype=np.uint8, mode="r")
        except (OSError, ValueError):
            raise unusable(path, "absent or damaged") from None
        if sealed.size != len(index.kept) * length:
            raise _torn(path)
        self._sealed = sealed.reshape(-1, length)

    def batch(self, positions: NDArray[np.int64]) -> Array:
        """A copy of the pixels (len(positions), 3, size, size). Raises DataError naming a damaged position."""
        side = self._index.size
        pixels = np.empty((len(positions), 3 * side * side), dtype=np.uint8)
        count = len(self._index.kept)
        for row, position in enumerate(np.where(positions < 0, positions + count, positions).tolist()):
            sealed = self._sealed[position]
            record = self._index.kept[position].record
            try:
                self._vault.open_into(
                    sealed.data, seal_label(self._index, position, record), pixels[row].data
                )
            except DataError as error:
                raise DataError(
                    f"A prepared photograph cannot be used: {error.what[:1].lower()}{error.what[1:]}",
                    where=f"{self._path}: position {position}",
                    fix=REBUILD,
                ) from None
        return pixels.reshape(-1, 3, side, side)


class PixelWriter:
    """Writes photographs into a new file in the layout of `PlainPixels` or, with a vault, of `SealedPixels`."""

    def __init__(self, file: BinaryIO, index: ImageIndex, vault: Vault | None) -> None:
        self._file, self._index, self._vault = file, index, vault
        self._count = 0
        self._start = self._header(0)

    def add(self, record: str, pixels: Array) -> None:
        """The next photograph (3, size, size)."""
        content = np.ascontiguousarray(pixels).data
        label = seal_label(self._index, self._count, record)
        self._file.write(content if self._vault is None else self._vault.seal(content, label))
        self._count += 1

    def finish(self) -> None:
        """Write the number of photographs into the header, and the file to the disk."""
        self._file.seek(0)
        if self._header(self._count) != self._start:
            raise AssertionError("the .npy header changed its length")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _header(self, rows: int) -> int:
        if self._vault is None:  # numpy pads the header so that the first axis may grow in place
            shape = (rows, 3, self._index.size, self._index.size)
            header = {"descr": npy.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(self._file, header)
        return self._file.tell()


def seal_label(index: ImageIndex, position: int, record: str) -> str:
    """What the seal of one photograph says it is."""
    return f"photographs/{index.name}/{index.pipeline}/{index.size}/{position}/{record}"


def _torn(path: Path) -> DataError:
    return unusable(path, "torn: its two files do not belong together")
