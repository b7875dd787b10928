"""Whether this site's gateway is connected, by its own words and signs: nothing else counts.

That the coordinator answers this machine is seen from here (client.gateway.reaching); that it has taken this site's
node, and answers it still, only the gateway knows: it writes the one into its log and keeps the time of the other
(client.gateway.heartbeat). Flower's SuperNode, and a gateway of an earlier release, have the log alone.
"""

from __future__ import annotations

import math
import re
import time

import psutil

from client.gateway.heartbeat import NAME as HEARTBEAT
from client.gateway.heartbeat import STALE, STILL_CONNECTED, silent
from client.services.services import GATEWAY
from deploy.errors import Code, DeployError
from deploy.services.services import Services

WAIT_SECONDS = 30.0  # for a gateway that was just started
KILLED_SECONDS = 75.0  # for one whose predecessor was killed: its node is online for up to a minute
_LOOK = 0.2
_TAIL = 2**16  # bytes of its log that are looked at first
_CONNECTED = re.compile(  # our loop's words, and those of Flower's SuperNode
    rb"client\.gateway\.loop: (connected as node|received|answered) |SuperNode ID: |Connection successful after "
)
_BEGUN = b"gateway of "  # its first words
_NOT_TAKEN = b" WARNING client.gateway.activation: "
_FAILED = b"Connection attempt failed, retrying"  # Flower's words; over within a second or two, mostly


def await_connected(
    services: Services, seconds: float = WAIT_SECONDS, killed: float = KILLED_SECONDS
) -> None:
    """Return once the gateway says that it is connected. Raises DeployError with its last words where it does not.

    killed: seconds in place of `seconds` while an earlier gateway still counts as connected there.
    """
    began = time.monotonic()
    while True:
        try:
            return require_connected(services)
        except DeployError as error:
            patience = max(seconds, killed) if STILL_CONNECTED in error.where else seconds
            if error.code is not Code.NOT_CONNECTED or time.monotonic() - began > patience:
                raise
        time.sleep(_LOOK)


def require_connected(services: Services) -> None:
    """Raise DeployError where the gateway has ended, or by its own words is not connected now."""
    record = services.record(GATEWAY)
    process = record.process() if record is not None else None
    if record is None or process is None:
        raise ended(services, GATEWAY)
    if _halted(process):
        raise DeployError(
            Code.NOT_CONNECTED,
            "the gateway was halted by a signal, and does nothing",
            where=f"process {process.pid}",
            fix=f"kill -CONT {process.pid}; or fedfundus-site stop gateway, then start",
        )
    sign = silent(services.folder / HEARTBEAT)
    said = _last_word(services, record.log, signs=sign is not None)
    if said is None and (sign is None or sign <= STALE):
        return
    said = said if said is not None else last_line(services, GATEWAY, record.log)
    where = f"{services.log(GATEWAY)}, its last words: {said or 'none yet'}"
    raise not_connected(sign, where, _fix(said))


def not_connected(sign: float | None, where: str, fix: str) -> DeployError:
    """A gateway that runs and is not connected. sign: seconds since its last, as client.gateway.heartbeat.silent."""
    what = "the gateway is not connected to the coordinator; it goes on trying"
    if sign is not None and STALE < sign < math.inf:
        what = f"the gateway has given no sign for {sign:.0f} seconds: it hangs, or cannot write one"
    return DeployError(Code.NOT_CONNECTED, what, where=where, fix=fix)


def _halted(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.Error:  # it has just ended
        return False


def _fix(said: str) -> str:
    if said.startswith(STILL_CONNECTED):
        return "nothing: within a minute it is over, unless another gateway of this site runs"
    if _FAILED.decode("ascii") in said:
        return "ask the coordinator whether its SuperLink runs: the front answers, and what is behind it does not"
    return (
        "do what it says; if it says nothing: fedfundus-site logs gateway, and proxy; then stop and start it"
    )


def ended(services: Services, name: str) -> DeployError:
    """A process of `start` that does not run, with what it said last."""
    words = last_line(services, name)
    return DeployError(
        Code.ENDED,
        f"the {name} does not run: it has ended, or was stopped or never started",
        where=str(services.log(name)) + (f", its last words: {words}" if words else ""),
        fix=f"fedfundus-site start begins it again; fedfundus-site logs {name} says why it ended",
    )


def last_line(services: Services, name: str, since: int = 0) -> str:
    """The last line that a process wrote, shortened. since: bytes of its log that do not count."""
    lines = _tail(services, name, since).decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""


def _last_word(services: Services, since: int, *, signs: bool) -> str | None:
    """What the gateway said of its connection last; None where that is that it has one, or where its log was cut.

    signs: whether it gives signs of life as well, which tell a failed attempt from a connection that is lost.
    """
    tail = _tail(services, GATEWAY, since)
    connected = max((found.start() for found in _CONNECTED.finditer(tail)), default=-1)
    trouble, failed = tail.rfind(_NOT_TAKEN), -1 if signs else tail.rfind(_FAILED)
    if trouble > max(connected, failed):
        return _line(tail, trouble + len(_NOT_TAKEN))
    if failed > connected:
        return _line(tail, failed)
    if connected >= 0 or not _silent_from_the_first(services, since):
        return None
    return last_line(services, GATEWAY, since)


def _line(tail: bytes, begin: int) -> str:
    return tail[begin:].partition(b"\n")[0].decode("utf-8", "replace")[:300]


def _silent_from_the_first(services: Services, since: int) -> bool:
    """Whether its whole log is there, and never says that it is connected: then it never was. Said again each hour."""
    began = False
    with services.log(GATEWAY).open("rb") as stream:
        stream.seek(since)
        for line in stream:
            began = began or _BEGUN in line
            if _CONNECTED.search(line):
                return False
    return began


def _tail(services: Services, name: str, since: int) -> bytes:
    try:
        with services.log(name).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(since if since <= size else 0, size - _TAIL))  # beyond the end: it was rotated
            return stream.read()
    except OSError:
        return b""
