"""Whether this site's gateway says that it is connected: the only word on it that counts.

That the coordinator answers this machine is seen from here (client.gateway.reaching); that it has taken this site's
node only the gateway knows, and writes into its log.
"""

from __future__ import annotations

import re
import time

from client.services.services import GATEWAY
from deploy.errors import Code, DeployError
from deploy.services.services import Services

WAIT_SECONDS = 30.0  # for a gateway that was just started
_LOOK = 0.2
_TAIL = 2**16  # bytes of its log that are looked at first
_CONNECTED = re.compile(  # our loop's words, and those of Flower's SuperNode
    rb"client\.gateway\.loop: (connected as node|received|answered) |SuperNode ID: "
)
_BEGUN = b"gateway of "  # its first words
_NOT_TAKEN = b" WARNING client.gateway.activation: "


def await_connected(services: Services, seconds: float = WAIT_SECONDS) -> None:
    """Return once the gateway says that it is connected. Raises DeployError with its last words where it does not."""
    until = time.monotonic() + seconds
    while True:
        try:
            return require_connected(services)
        except DeployError as error:
            if error.code is not Code.NOT_CONNECTED or time.monotonic() > until:
                raise
        time.sleep(_LOOK)


def require_connected(services: Services) -> None:
    """Raise DeployError where the gateway has ended, or by its own words is not connected now."""
    record = services.record(GATEWAY)
    if record is None or record.process() is None:
        raise ended(services, GATEWAY)
    said = _last_word(services, record.log)
    if said is not None:
        raise DeployError(
            Code.NOT_CONNECTED,
            "the gateway is not connected to the coordinator; it goes on trying",
            where=f"{services.log(GATEWAY)}, its last words: {said or 'none yet'}",
            fix="do what it says; if it says nothing: fedfundus-site logs gateway, and proxy",
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


def _last_word(services: Services, since: int) -> str | None:
    """What the gateway said of its connection last; None where that is that it has one, or where its log was cut."""
    tail = _tail(services, GATEWAY, since)
    connected = max((found.start() for found in _CONNECTED.finditer(tail)), default=-1)
    trouble = tail.rfind(_NOT_TAKEN)
    if trouble > connected:
        return tail[trouble + len(_NOT_TAKEN) :].partition(b"\n")[0].decode("utf-8", "replace")[:300]
    if connected >= 0 or not _silent_from_the_first(services, since):
        return None
    return last_line(services, GATEWAY, since)


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
