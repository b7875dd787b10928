"""The photographs of a site, decoded once and kept as one memory-mapped array of uint8.

A round touches every training photograph; decoding a megabyte JPEG each time would cost more than the model.
The array is an ordinary .npy file (N, 3, size, size); a JSON file beside it says which record is which, the
SHA-256 of every source file, and the version of the pipeline. Both appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from client.adapters import problem_table
from client.data.pipeline import MAX_FILE_BYTES, PIPELINE_VERSION, UnreadablePhotograph, prepare
from shared_model.errors import DataError, RunError

__all__ = ["PIPELINE_VERSION", "ImageStore", "build_image_store"]

Progress = Callable[[int, int], None]
_Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ImageStore:
    """The prepared photographs of some records.

    records: record of every row of the array. digests: record -> SHA-256 of the source file's bytes.
    """

    path: Path
    size: int
    pipeline: str
    records: tuple[str, ...]
    digests: Mapping[str, str]
    _pixels: _Pixels
    _positions: Mapping[str, int]

    @classmethod
    def open(cls, path: Path) -> ImageStore:
        """The store at path (a .npy file). Raises DataError where absent, torn or of another pipeline."""
        path = Path(path)
        try:
            described = json.loads(_sidecar(path).read_text("utf-8"))
            pixels = np.load(path, mmap_mode="r", allow_pickle=False)
            records, digests = described["records"], described["sha256"]
            shape = (len(records), 3, described["size"], described["size"])
        except (OSError, ValueError, KeyError, TypeError):
            raise _unusable(path, "absent or damaged") from None
        if pixels.shape != shape or pixels.dtype != np.uint8 or len(digests) != len(records):
            raise _unusable(path, "torn: its two files do not belong together")
        if described["pipeline"] != PIPELINE_VERSION:
            raise _unusable(path, f"made by image pipeline {described['pipeline']}, not {PIPELINE_VERSION}")
        return cls(
            path=path,
            size=int(described["size"]),
            pipeline=str(described["pipeline"]),
            records=tuple(records),
            digests=dict(zip(records, digests, strict=True)),
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

    def batch(self, indices: ArrayLike) -> _Pixels:
        """A copy of the pixels (len(indices), 3, size, size), RGB, 0 to 255."""
        return np.array(self._pixels[np.asarray(indices, dtype=np.int64)])


def build_image_store(
    table: pd.DataFrame,
    path: Path,
    size: int,
    processes: int | None = None,
    progress: Progress | None = None,
    *,
    lines: Mapping[str, int] | None = None,
) -> tuple[ImageStore, pd.DataFrame]:
    """Read every photograph of the table once; the store of those that can be read, and the quarantine.

    path: the .npy file to write. size: side of the square in pixels. processes: workers (threads: decoding
    releases the interpreter), all cores by default. progress: called with photographs done and to do.
    lines: record -> line of the source table, for the quarantine (0 where unknown). Raises RunError where the
    disk is full and DataError where no photograph can be read; then nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    sidecar = temporary.with_name(temporary.name + ".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_space(path.parent, len(table) * 3 * size * size)
        kept, digests, bad = _write(table, temporary, size, processes or os.cpu_count() or 1, progress)
        if not kept:
            raise _nothing(table, bad)
        described = {"pipeline": PIPELINE_VERSION, "size": size, "records": kept, "sha256": digests}
        with _create(sidecar) as file:
            file.write(json.dumps(described).encode())
        _sidecar(path).unlink(missing_ok=True)  # a store without it is no store: never the old beside the new
        temporary.replace(path)
        sidecar.replace(_sidecar(path))
    except OSError as error:
        raise _write_error(path, error) from None
    finally:
        for leftover in (temporary, sidecar):
            with contextlib.suppress(OSError):
                leftover.unlink()
    rows = [((lines or {}).get(record, 0), record, "image_id", reason) for record, reason in bad]
    return ImageStore.open(path), problem_table(rows)


def _write(
    table: pd.DataFrame, path: Path, size: int, workers: int, progress: Progress | None
) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    records = [str(record) for record in table["record_id"]]
    kept: list[str] = []
    digests: list[str] = []
    bad: list[tuple[str, str]] = []
    with _create(path) as file:
        start = _header(file, 0, size)
        results = _ordered(list(table["image_path"]), size, workers)
        for done, (record, (digest, prepared)) in enumerate(zip(records, results, strict=True), start=1):
            if isinstance(prepared, str):
                bad.append((record, prepared))
            else:
                file.write(prepared.data)
                kept.append(record)
                digests.append(digest)
            if progress is not None:
                progress(done, len(records))
        file.seek(0)
        if _header(file, len(kept), size) != start:
            raise AssertionError("the .npy header changed its length")
    return kept, digests, bad


def _ordered(paths: Sequence[str], size: int, workers: int) -> Iterator[tuple[str, _Pixels | str]]:
    """Digest and pixels, or the reason there are none, in the order of paths; few in memory at once."""
    waiting: deque[Future[tuple[str, _Pixels | str]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for path in paths:
                waiting.append(pool.submit(_read, path, size))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(path: str, size: int) -> tuple[str, _Pixels | str]:
    try:
        if not os.path.isfile(path):
            return "", "the photograph is absent"
        if os.path.getsize(path) > MAX_FILE_BYTES:
            return "", f"the file is larger than {MAX_FILE_BYTES // 2**20} MB"
        with open(path, "rb") as file:
            data = file.read()
        return hashlib.sha256(data).hexdigest(), prepare(data, size)
    except OSError as error:
        return "", f"the file cannot be opened ({error.strerror})"
    except UnreadablePhotograph as reason:
        return "", str(reason)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # patients' data


def _header(file: BinaryIO, rows: int, size: int) -> int:
    # numpy pads the header so that the first axis may grow in place.
    header = {"descr": npy.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False}
    npy.write_array_header_1_0(file, {**header, "shape": (rows, 3, size, size)})
    return file.tell()


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _nothing(table: pd.DataFrame, bad: list[tuple[str, str]]) -> DataError:
    return DataError(
        f"None of {len(table)} photographs can be read.",
        where=os.path.dirname(str(table["image_path"].iloc[0])) if len(table) else "an empty table",
        fix=f"The first reason is: {bad[0][1]}." if bad else "Give a table with records.",
    )


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"The prepared photographs need {needed / 2**20:,.0f} MB; {free / 2**20:,.0f} MB are free.",
            where=str(folder),
            fix="Free some space, or choose another output folder.",
        )


def _unusable(path: Path, why: str) -> DataError:
    return DataError(f"The store of photographs is {why}.", where=str(path), fix="Build it again.")


def _write_error(path: Path, error: OSError) -> RunError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "The disk is full." if full else f"Writing failed: {error.strerror}."
    return RunError(what, where=str(path.parent), fix="Free some space, or choose another output folder.")
