"""How many bytes of models and updates have gone through the coordinator's front, by its own log.

The front writes a line when a request has ended, with what it took and gave. A model travels as objects of at most
20 MB each, each a request, so on a slow line the count grows while a transfer is under way. Questions that find nothing
and signs of life do not count: they say nothing of progress. They are most of the log, which grows by tens of megabytes
a day: what was read is remembered, also by a `status` for the next one. A log that was cut where it lies (copytruncate)
keeps its inode and may have grown past what was read, so its first line is compared as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from shared_model.errors import RunError
from shared_model.files import write_bytes

LOG = Path("services") / "front" / "front-access.log"  # below the store
MEMORY = "moved.json"  # in the folder of a run
# time request-length bytes-sent status path, as front.conf has it. What was refused counts for nothing, or anybody
# could keep a round waiting; the status stands before the path, which holds whatever was asked for.
_LINE = re.compile(rb"^([0-9]+\.[0-9]+) ([0-9]+) ([0-9]+) 2[0-9]{2} /v1/fleet/(?:pull|push)-object ")
_TIME = re.compile(rb"^([0-9]+\.[0-9]+) ")
_BLOCK = 2**16  # bytes that are read rather than looked for
_CLOCK = 3600.0  # seconds that the clock may have been set by


class Moved(NamedTuple):
    """Bytes from the sites and to them."""

    up: int
    down: int


class FrontLog:
    """The front's log at `file`, which may not be there. since: seconds of the epoch; earlier lines do not count.

    memory: a file that keeps how far it was read and what came of it; done without where it cannot be read or written.
    """

    def __init__(self, file: Path, since: float = 0.0, memory: Path | None = None) -> None:
        self._file = file
        self._since = since
        self._memory = memory
        self._log = 0  # which file it was, by its inode
        self._first = ""  # and by the digest of its first line, once that is whole
        self._read = 0
        self._moved = Moved(0, 0)
        self._found = False
        self._remember()

    def moved(self) -> int:
        """Bytes until now, both ways; 0 where there has been no log yet."""
        return sum(self.counted() or (0,))

    def counted(self) -> Moved | None:
        """Bytes until now, by way; what was read before is not read again. None where there has been no log yet."""
        before = (self._log, self._first, self._read)
        try:
            with self._file.open("rb") as stream:
                self._found = True
                status, first = os.fstat(stream.fileno()), _first_line(stream)
                if self._is_another(status, first):
                    self._log, self._read = status.st_ino, self._beginning(stream, status.st_size)
                self._first = first
                stream.seek(self._read)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break  # half of one: the rest comes
                    self._read += len(line)
                    if (found := _LINE.match(line)) and float(found[1]) >= self._since:
                        self._moved = Moved(self._moved.up + int(found[2]), self._moved.down + int(found[3]))
        except OSError:
            return self._moved if self._found else None
        if before != (self._log, self._first, self._read):
            self._keep()
        return self._moved

    def skip(self) -> FrontLog:
        """Leave out what is in the log now."""
        with suppress(OSError), self._file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            self._log, self._read, self._first = status.st_ino, status.st_size, _first_line(stream)
        return self

    def _is_another(self, status: os.stat_result, first: str) -> bool:
        """Whether this is a new log in the place of the one that was read, or the same one, cut."""
        cut = status.st_size < self._read or (self._first and first != self._first)
        return status.st_ino != self._log or bool(cut)

    def _beginning(self, stream: BinaryIO, size: int) -> int:
        """Before which byte no line counts: lines stand in the order of time, but for a clock that was set."""
        low, high = 0, size
        while high - low > _BLOCK:
            middle = (low + high) // 2
            stream.seek(middle)
            stream.readline()
            found = _TIME.match(stream.readline())
            if found and float(found[1]) < self._since - _CLOCK:
                low = middle
            else:
                high = middle
        stream.seek(low)
        return low + len(stream.readline()) if low else 0

    def _remember(self) -> None:
        if self._memory is None:
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self._memory.read_bytes())
            if found["since"] == self._since:
                log, read, up, down = (int(found[name]) for name in ("log", "read", "up", "down"))
                self._log, self._read, self._first = log, read, str(found["first"])
                self._moved, self._found = Moved(up, down), True  # who remembers has read a log

    def _keep(self) -> None:
        if self._memory is None:
            return
        kept = {
            "since": self._since,
            "log": self._log,
            "first": self._first,
            "read": self._read,
            **self._moved._asdict(),
        }
        with suppress(RunError):  # another user's store, a full disk: it is read again next time
            write_bytes(self._memory, json.dumps(kept).encode("ascii"), durable=False)


def _first_line(stream: BinaryIO) -> str:
    """Its digest; empty where there is no whole line yet."""
    line = stream.readline(_BLOCK)
    return hashlib.sha256(line).hexdigest() if line.endswith(b"\n") else ""


def front_log(store: Path, since: float = 0.0, memory: Path | None = None) -> FrontLog:
    """The log of the front that `fedfundus-coordinator start` started with this store."""
    return FrontLog(store / LOG, since, memory)
