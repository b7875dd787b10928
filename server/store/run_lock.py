"""Who carries a run out holds a lock on a file of its folder; whoever looks at the run asks about it and takes nothing.

A lock of the open file (F_OFD_SETLK) can be asked about; the older kind (flock) can only be tried, and a look that
tried it would keep a run from beginning in that moment, or tell another look that the run is under way. Releases before
held the older kind alone: it is held as well, so that no run is carried out twice across an upgrade.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared_model.files import naming_disk_errors

_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, length, process
_WHOLE_FILE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@contextmanager
def lock(file: Path) -> Iterator[bool]:
    """Hold the lock; False where another process holds it, or another `lock` of this one."""
    with naming_disk_errors(file):
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _WHOLE_FILE)
            held = True
        except (BlockingIOError, PermissionError):
            held = False
        yield held
    finally:
        os.close(handle)


def is_locked(file: Path) -> bool:
    """Whether somebody holds the lock now. Takes and writes nothing.

    Who holds the older kind alone, a release before, is not seen: that kind cannot be asked about.
    """
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:  # never held
        return False
    try:
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _WHOLE_FILE)
    finally:
        os.close(handle)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
