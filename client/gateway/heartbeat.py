"""When this site last heard from the coordinator, as the time of an empty file: what `status` believes besides the log.

A log cannot tell a gateway that waits from one that hangs, and under a service manager the operator may not read it.
While a question is answered, which takes hours, nothing is heard: then the file says that the gateway lives, and that
nothing it sent has failed.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "FEDFUNDUS_GATEWAY_HEARTBEAT"  # in the gateway's environment: the file
NAME = "gateway.heartbeat"  # beside the logs of `start`
UNIT = Path("/run/fedfundus-gateway/heartbeat")  # as the kit's service file says
EVERY, STALE = 10.0, 90.0  # seconds between two signs; after which nobody believes the last one
FAILING = 20.0  # seconds of failed attempts, after which the connection is given up for lost
STILL_CONNECTED = "this site still counts as connected"  # the gateway's words for it, by which they are known
_LOST = (0.0, 0.0)  # times of the file that say: not connected
_FAILED, _MENDED = "Connection attempt failed", "Connection successful"  # Flower's words for each trial

log = logging.getLogger(__name__)


def silent(file: Path) -> float | None:
    """Seconds since the last sign; infinite where the gateway is not connected, None where there is no such file.

    A time to come, after a clock was set back, is as far away as it is.
    """
    try:
        last = file.stat().st_mtime
    except OSError:
        return None
    return math.inf if last == 0 else abs(time.time() - last)


class Heartbeat:
    """The signs of one gateway. file: None for none. The file's folder is there, and nobody else writes into it."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._last = -math.inf  # of our signs, by the monotonic clock
        self._failing: float | None = None  # since when attempts fail
        self._told = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While the gateway runs: not connected until `heard`, and no file after it."""
        listener, flower = _Attempts(self), logging.getLogger("flwr")
        level = flower.level
        flower.addHandler(listener)
        flower.setLevel(min(flower.getEffectiveLevel(), logging.INFO))  # our commands quieten it
        try:
            self.lost()
            yield
        finally:
            flower.removeHandler(listener)
            flower.setLevel(level)
            self.removed()

    def heard(self) -> None:
        """The coordinator has answered."""
        self._failing = None
        if time.monotonic() - self._last >= EVERY:
            self._sign()

    def lost(self) -> None:
        """There is no connection; `heard` says that there is one again."""
        self._last = -math.inf
        self._write(_LOST)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a message is carried and answered: signs come from a thread, unless what is sent fails."""
        over = threading.Event()
        thread = threading.Thread(target=self._alive_until, args=(over,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def attempt(self, *, failed: bool) -> None:
        """Flower has tried to reach the coordinator again."""
        if not failed:
            self.heard()
            return
        self._failing = time.monotonic() if self._failing is None else self._failing
        if time.monotonic() - self._failing > FAILING:
            self.lost()

    def removed(self) -> None:
        """No file: nothing is known of this gateway."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _alive_until(self, over: threading.Event) -> None:
        while not over.wait(EVERY):
            if self._failing is None:
                self._sign()

    def _sign(self) -> None:
        self._last = time.monotonic()
        self._write(None)

    def _write(self, times: tuple[float, float] | None) -> None:
        """Set the file's time; now for None. A disk that refuses does not end a gateway."""
        if self._file is None:
            return
        try:
            self._file.touch(mode=0o600)
            os.utime(self._file, times)
        except OSError as error:
            if not self._told:
                log.warning("no sign of life can be written, so that status finds none (%s)", error.strerror)
            self._told = True


class _Attempts(logging.Handler):
    """Hears what Flower says of its trials: nothing else tells, since it tries within one call of ours."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__(logging.INFO)
        self._heartbeat = heartbeat

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said.startswith((_FAILED, _MENDED)):
            self._heartbeat.attempt(failed=said.startswith(_FAILED))
