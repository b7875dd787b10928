"""The photographs of a site, decoded once and kept as one memory-mapped file of uint8.

A round touches every training photograph; decoding a megabyte JPEG each time would cost more than the model.
The pixels are an ordinary .npy file (N, 3, size, size) or, with a vault, sealed one by one; an index beside them
says which record is which. Both appear whole or not at all, and what has not changed is not read again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from client.adapters import problem_table
from client.data.image_index import ImageIndex, Photograph, Source, sidecar
from client.data.image_reading import Earlier, Reading, readings
from client.data.pipeline import PIPELINE_VERSION
from client.data.pixels import Array, Pixels, PixelWriter, PlainPixels, SealedPixels
from client.vault import OVERHEAD, Vault
from shared_model.errors import DataError, RunError
from shared_model.files import write_bytes

__all__ = ["PIPELINE_VERSION", "ImageStore", "build_image_store"]

Progress = Callable[[int, int], None]
_LOOKERS = 16  # threads that only ask the file system, which may be far away


@dataclass(frozen=True, eq=False)
class ImageStore:
    """The prepared photographs of some records.

    records: record of every row of the array. digests: record -> SHA-256 of the source file's bytes.
    index: what else is known of them, and of those that could not be read.
    """

    path: Path
    size: int
    pipeline: str
    records: tuple[str, ...]
    digests: Mapping[str, str]
    index: ImageIndex
    vault: Vault | None
    _pixels: Pixels
    _positions: Mapping[str, int]

    @classmethod
    def open(cls, path: Path, vault: Vault | None = None) -> ImageStore:
        """The store at path. Raises DataError where absent, torn, of another pipeline, or not sealed with vault."""
        path = Path(path)
        index = ImageIndex.read(path, vault)
        pixels = PlainPixels(path, index) if vault is None else SealedPixels(path, index, vault)
        index.require_pipeline(path)
        records = tuple(photograph.record for photograph in index.kept)
        return cls(
            path=path,
            size=index.size,
            pipeline=index.pipeline,
            records=records,
            digests={photograph.record: photograph.digest for photograph in index.kept},
            index=index,
            vault=vault,
            _pixels=pixels,
            _positions={record: position for position, record in enumerate(records)},
        )

    def __len__(self) -> int:
        return len(self.records)

    def index_of(self, record: str) -> int:
        """Position of a record in the store. Raises KeyError where it does not hold it."""
        return self._positions[record]

    def usable(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of the table whose photograph is in the store, numbered anew."""
        return table[table["record_id"].isin(self.records)].reset_index(drop=True)

    def batch(self, indices: ArrayLike) -> Array:
        """A copy of the pixels (len(indices), 3, size, size), RGB, 0 to 255.

        Raises DataError naming the position of a sealed photograph that was altered.
        """
        return self._pixels.batch(np.asarray(indices, dtype=np.int64))

    def without(self, records: Collection[str]) -> ImageStore | None:
        """The store rewritten in place without these records; None, and no files, where none is left.

        Like a build, an interruption leaves the store as it was or none. Its time of making stays.
        """
        barred = frozenset(records)
        photographs = (*self.index.kept, *self.index.unreadable)
        left = [photograph for photograph in photographs if photograph.record not in barred]
        if len(left) == len(photographs):
            return self
        if all(photograph.problem for photograph in left):
            for path in (sidecar(self.path), self.path):
                path.unlink(missing_ok=True)
            return None
        made = os.stat(self.path).st_mtime_ns
        rows = ((photograph, self._of(photograph)) for photograph in left)
        _write(self.path, self.size, self.vault, rows, lambda: made)
        return ImageStore.open(self.path, self.vault)

    def _of(self, photograph: Photograph) -> Array | None:
        return None if photograph.problem else self.batch([self.index_of(photograph.record)])[0]


def build_image_store(
    table: pd.DataFrame,
    path: Path,
    size: int,
    processes: int | None = None,
    progress: Progress | None = None,
    *,
    lines: Mapping[str, int] | None = None,
    vault: Vault | None = None,
) -> tuple[ImageStore, pd.DataFrame]:
    """The store of those photographs of the table that can be read, and the quarantine of the others.

    A store that is already at `path` is used again: as it is where it holds just these photographs and their
    files have not changed, else for those that have not. path: the file to write. size: side of the square in
    pixels. processes: workers, all cores by default. progress:
    called with photographs done and to do. lines: record -> line of the source table, for the quarantine (0
    where unknown). vault: seals the photographs. Raises RunError where the disk is full and DataError where no
    photograph can be read; then nothing is left behind.
    """
    path = Path(path)
    wanted = _wanted(table)
    earlier = _earlier(path, size, vault)
    store = _reused(path, earlier, wanted, vault)
    if store is not None:
        if progress is not None:
            progress(len(wanted), len(wanted))
    else:
        with _naming_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _require_space(path.parent, len(wanted) * (3 * size * size + OVERHEAD))
        rows = readings(wanted, size, processes or os.cpu_count() or 1, earlier)
        _write(path, size, vault, _counted(rows, len(wanted), progress), earlier.made)
        store = ImageStore.open(path, vault)
    return store, _quarantine(store, wanted, lines or {})


def _wanted(table: pd.DataFrame) -> list[Photograph]:
    patients = table["patient_id"] if "patient_id" in table else [""] * len(table)
    with ThreadPoolExecutor(_LOOKERS) as pool:
        sources = list(pool.map(Source.of, table["image_path"]))
    return [
        Photograph(str(record), str(patient), str(path), source)
        for record, patient, path, source in zip(
            table["record_id"], patients, table["image_path"], sources, strict=True
        )
    ]


def _earlier(path: Path, size: int, vault: Vault | None) -> Earlier:
    """What a store that is already there still gives; nothing where it cannot be opened or has another size."""
    try:
        store = ImageStore.open(path, vault)
        made = path.stat().st_mtime_ns
    except (DataError, OSError):
        return Earlier(None, None, 0)
    if store.size != size:
        return Earlier(None, None, 0)
    return Earlier(store.index, store._pixels, made)


def _reused(path: Path, earlier: Earlier, wanted: list[Photograph], vault: Vault | None) -> ImageStore | None:
    """The store as it is, its index brought up to date, where it holds exactly what is wanted."""
    index = earlier.refreshed(wanted)
    if index is None or (vault is not None and not earlier.is_whole()):
        return None
    if index != earlier.index:
        write_bytes(sidecar(path), index.to_bytes(vault))
    return ImageStore.open(path, vault)


def _write(
    path: Path,
    size: int,
    vault: Vault | None,
    rows: Iterable[Reading],
    made: Callable[[], int | None],
) -> ImageIndex:
    """Write a store in place of the one at path. made: its time in nanoseconds, None for now; asked at the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    described = temporary.with_name(temporary.name + ".json")
    index = ImageIndex("" if vault is None else secrets.token_hex(16), size, PIPELINE_VERSION, ())
    try:
        with _naming_errors(path):
            index = _write_pixels(temporary, index, vault, rows)
            if not index.kept:
                raise _nothing(index)
            with _create(described) as file:
                file.write(index.to_bytes(vault))
                file.flush()
                os.fsync(file.fileno())
            if (nanoseconds := made()) is not None:
                os.utime(temporary, ns=(nanoseconds, nanoseconds))
            sidecar(path).unlink(
                missing_ok=True
            )  # a store without it is no store: never the old beside the new
            temporary.replace(path)
            described.replace(sidecar(path))
    finally:
        for leftover in (temporary, described):
            with contextlib.suppress(OSError):
                leftover.unlink()
    return index


def _write_pixels(path: Path, index: ImageIndex, vault: Vault | None, rows: Iterable[Reading]) -> ImageIndex:
    kept: list[Photograph] = []
    unreadable: list[Photograph] = []
    with _create(path) as file:
        writer = PixelWriter(file, index, vault)
        for photograph, pixels in rows:
            if pixels is None:
                unreadable.append(photograph)
            else:
                writer.add(photograph.record, pixels)
                kept.append(photograph)
        writer.finish()
    return replace(index, kept=tuple(kept), unreadable=tuple(unreadable))


def _counted(rows: Iterable[Reading], total: int, progress: Progress | None) -> Iterator[Reading]:
    for done, row in enumerate(rows, start=1):
        yield row
        if progress is not None:
            progress(done, total)


def _quarantine(store: ImageStore, wanted: list[Photograph], lines: Mapping[str, int]) -> pd.DataFrame:
    problems = {photograph.record: photograph.problem for photograph in store.index.unreadable}
    records = [photograph.record for photograph in wanted if photograph.record in problems]
    return problem_table([(lines.get(record, 0), record, "image_id", problems[record]) for record in records])


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # patients' data


def _nothing(index: ImageIndex) -> DataError:
    bad = index.unreadable
    return DataError(
        f"None of {len(bad)} photographs can be read.",
        where=os.path.dirname(bad[0].path) if bad else "an empty table",
        fix=f"The first reason is: {bad[0].problem}." if bad else "Give a table with records.",
    )


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"The prepared photographs need {needed / 2**20:,.0f} MB; {free / 2**20:,.0f} MB are free.",
            where=str(folder),
            fix="Free some space, or choose another output folder.",
        )


@contextlib.contextmanager
def _naming_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "The disk is full." if full else f"Writing failed: {error.strerror}."
        fix = "Free some space, or choose another output folder."
        raise RunError(what, where=str(path.parent), fix=fix) from None
