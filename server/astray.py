"""Questions that never reached their site, or whose answer never left it: found out, so that they are asked again.

A SuperLink hands a message out once. Where the gateway is killed with it, or the connection ends under it, nobody will
answer, and nobody says so. A gateway answers one message after the other, in the order in which they were asked: one
that answers a second, empty message, and has not answered the first, has lost that. It costs a site nothing while it
trains, since the second message waits its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

SECONDS = 20.0  # without an answer before a site is probed, and between one probe's answer and the next


class Astray:
    """The open questions of one asking. probe: pushes an empty message to an address, gives its id; None: no probes."""

    def __init__(
        self,
        probe: Callable[[str], str | None] | None,
        clock: Callable[[], float] = time.monotonic,
        seconds: float | None = None,
    ) -> None:
        self.probes: dict[str, str] = {}  # id of a probe -> id of the question that it was sent after
        self._probe = probe
        self._clock = clock
        self._seconds = SECONDS if seconds is None else seconds
        self._since: dict[str, float] = {}
        self._found: set[str] = set()

    def look(self, waiting: Mapping[str, str]) -> None:
        """Probe where it is time to. waiting: message id to address."""
        if self._probe is None:
            return
        now, probed = self._clock(), set(self.probes.values())
        for identity, address in waiting.items():
            if identity in probed or now - self._since.setdefault(identity, now) < self._seconds:
                continue
            self._since[identity] = now
            if pushed := self._probe(address):
                self.probes[pushed] = identity

    def answered(self, probe: str, *, lost: bool) -> None:
        """A probe has come back. lost: from the site, and not as an error of the transport's."""
        question = self.probes.pop(probe)
        self._since[question] = self._clock()
        if lost:
            self.found(question)

    def found(self, question: str) -> None:
        """The question with this id was lost."""
        self._found.add(question)

    def lost(self, waiting: Iterable[str]) -> list[str]:
        """Those of `waiting` that were lost: asked for after the probes' answers, and still not there."""
        found = [identity for identity in waiting if identity in self._found]
        self._found.clear()
        return found
