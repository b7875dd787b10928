"""How many bytes of models and updates have gone through the coordinator's front, by its own log.

The front writes a line when a request has ended, with what it took and gave. A model travels as objects of at most
20 MB, each a request, so on a slow line the count grows while a transfer is under way. Questions that find nothing
and signs of life do not count: they say nothing of progress.
"""

from __future__ import annotations

import re
from pathlib import Path

LOG = Path("services") / "front" / "front-access.log"  # below the store
# time request-length bytes-sent status path, as front.conf has it. What was refused counts for nothing, or anybody
# could keep a round waiting; the status stands before the path, which holds whatever was asked for.
_LINE = re.compile(rb"^([0-9]+\.[0-9]+) ([0-9]+) ([0-9]+) 2[0-9]{2} /v1/fleet/(?:pull|push)-object ")


class FrontLog:
    """The front's log at `file`, which may not be there. since: seconds of the epoch; earlier lines do not count."""

    def __init__(self, file: Path, since: float = 0.0) -> None:
        self._file = file
        self._since = since
        self._read = 0
        self._total = 0

    def moved(self) -> int:
        """Bytes until now, both ways; what was read before is not read again."""
        try:
            with self._file.open("rb") as stream:
                if stream.seek(0, 2) < self._read:  # a new log in its place
                    self._read = 0
                stream.seek(self._read)
                content = stream.read()
        except OSError:
            return self._total
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if (found := _LINE.match(line)) and float(found[1]) >= self._since:
                self._total += int(found[2]) + int(found[3])
        return self._total


def front_log(store: Path, since: float = 0.0) -> FrontLog:
    """The log of the front that `fedfundus-coordinator start` started with this store."""
    return FrontLog(store / LOG, since)
