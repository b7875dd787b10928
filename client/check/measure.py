"""Every photograph of a site measured: read once, in parallel, and never again while it stays as it is.

Results go to a journal in batches under a digest of the path, with the file's size and time of change, so that
an interrupted check goes on where it stopped and a second one reads only what has changed. What may be the
machine's fault (a crash, too little memory, a file that could not be opened) is not remembered.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from client.check.measurement import Measurement, decode
from client.data.pipeline import MAX_FILE_BYTES, NO_MEMORY, PIPELINE_VERSION
from client.isolation.pool import CRASHED, TOO_SLOW, Answer, Failure, Pool
from client.vault.journal import Journal

__all__ = ["ABSENT", "CRASHED", "TOO_SLOW", "Measurement", "forget", "measure"]

ABSENT = "the photograph is absent"
WORKER = "client.check.reader"

Progress = Callable[[int, int], None]

_VERSION = f"check-1/{PIPELINE_VERSION}".encode()  # changes whenever the same bytes would give other numbers
_BATCH = 64  # measurements in one record of the journal
_BATCH_SECONDS = 2.0  # and the longest they wait for it
_STATE = struct.Struct(">Qq")  # bytes, time of change in nanoseconds
_ENTRY = struct.Struct(
    ">32s16sI"
)  # digest of the path and version, the file's state, length of the measurement


def measure(
    paths: Sequence[str],
    *,
    processes: int | None = None,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> dict[str, Measurement]:
    """The measurement of every path, in the order of paths.

    processes: all cores by default. journal: what is known already and where new results are kept; interrupted
    by Ctrl-C, it holds all that was read. progress: called with photographs done and to do, from zero on.
    Raises RunError where no worker process can be started or the journal cannot be written.
    """
    report = progress or (lambda done, total: None)
    found: dict[str, Measurement] = {}
    files: dict[str, _File] = {}
    for path in dict.fromkeys(paths):
        state = _state(path)
        if isinstance(state, Measurement):
            found[path] = state
        else:
            files[path] = _File(_digest(path), state)
    total = len(found) + len(files)
    found.update(_known(journal, files))
    report(len(found), total)
    unread = [path for path in files if path not in found]
    keeper = _Keeper(journal)
    try:
        for path, measurement, encoded in _read(unread, processes or os.cpu_count() or 1):
            found[path] = measurement
            keeper.add(files[path], measurement, encoded)
            report(len(found), total)
    finally:
        keeper.flush()
    return {path: found[path] for path in dict.fromkeys(paths)}


def forget(journal: Journal, paths: Sequence[str]) -> None:
    """Remove whatever the journal holds of these files, whether they still exist or not."""
    gone = {_digest(path) for path in paths}
    kept = [
        b"".join(entry.content for entry in _entries(record) if entry.path not in gone)
        for record in journal.records()
    ]
    journal.rewrite(record for record in kept if record)


def _state(path: str) -> bytes | Measurement:
    """The file's size and time of change, or why it need not be opened (as client.data.images)."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return Measurement(problem=ABSENT)
    if not stat.S_ISREG(found.st_mode):
        return Measurement(problem=ABSENT)
    if found.st_size > MAX_FILE_BYTES:
        return Measurement(problem=f"the file is larger than {MAX_FILE_BYTES // 2**20} MB")
    return _STATE.pack(found.st_size, found.st_mtime_ns)


def _read(paths: Sequence[str], processes: int) -> Iterator[tuple[str, Measurement, bytes]]:
    """Each path's measurement, and the same encoded; empty where there is nothing to keep."""
    if paths:
        with Pool(WORKER, processes) as pool:
            for path, answer in pool.answers(paths):
                yield path, *_understood(answer)


def _understood(answer: Answer) -> tuple[Measurement, bytes]:
    if isinstance(answer, Failure):
        return Measurement(problem=answer.reason), b""
    try:
        return decode(answer), answer
    except ValueError:
        return Measurement(problem=CRASHED), b""


class _File(NamedTuple):
    digest: bytes  # of its path and of the version of what is measured
    state: bytes


class _Entry(NamedTuple):
    path: bytes
    state: bytes
    measurement: bytes
    content: bytes


def _entries(record: bytes) -> Iterator[_Entry]:
    position = 0
    while position + _ENTRY.size <= len(record):
        path, state, length = _ENTRY.unpack_from(record, position)
        start, end = position + _ENTRY.size, position + _ENTRY.size + length
        yield _Entry(path, state, record[start:end], record[position:end])
        position = end


def _known(journal: Journal | None, files: dict[str, _File]) -> dict[str, Measurement]:
    """What the journal holds of the files as they are now."""
    if journal is None:
        return {}
    wanted = {file: path for path, file in files.items()}
    found: dict[str, Measurement] = {}
    for record in journal.records():
        for entry in _entries(record):
            path = wanted.get(_File(entry.path, entry.state))
            if path is not None:
                try:
                    found[path] = decode(entry.measurement)
                except ValueError:  # of another version; it is read again
                    continue
    return found


class _Keeper:
    """Gathers new measurements and adds them to the journal a batch at a time."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._batch: list[bytes] = []
        self._since = time.monotonic()

    def add(self, file: _File, measurement: Measurement, encoded: bytes) -> None:
        if self._journal is None or not encoded or _passing(measurement.problem):
            return
        self._batch.append(_ENTRY.pack(*file, len(encoded)) + encoded)
        if len(self._batch) >= _BATCH or time.monotonic() - self._since > _BATCH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._journal is not None and self._batch:
            self._journal.append(b"".join(self._batch))
        self._batch.clear()
        self._since = time.monotonic()


def _passing(problem: str) -> bool:
    """Whether the same file might be read another time."""
    return problem in {ABSENT, CRASHED, TOO_SLOW, NO_MEMORY} or problem.startswith(
        "the file cannot be opened"
    )


def _digest(path: str) -> bytes:
    return hashlib.sha256(_VERSION + b"\0" + os.fsencode(os.path.abspath(path))).digest()
