"""Sites that take their time: answers, failures, silences and bytes on a clock that only the tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.sites import SiteFailure, Waiting
from shared_model.exchange import Payload

Answer = Payload | SiteFailure
Behaviour = Callable[
    [str, Payload], tuple[float, Answer] | None
]  # seconds until the answer, or None for never


class TestClock:
    """Seconds since the test began."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class WaitingSites:
    """server.sites.Sites: behaviours say how long each address takes; every look costs `step` seconds.

    there: addresses that are connected at a time. rate: bytes a second that the transport moves.
    """

    clock: TestClock
    behaviours: dict[str, Behaviour]
    there: Callable[[float], list[str]] | None = None
    rate: Callable[[float], float] = lambda now: 0.0
    step: float = 1.0
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    moved: float = 0.0

    def addresses(self) -> list[str]:
        return self.there(self.clock.now) if self.there else list(self.behaviours)

    def ask(self, question: Any, payloads: Mapping[str, Payload]) -> Iterator[tuple[str, Answer] | Waiting]:
        due: dict[str, tuple[float, Answer]] = {}
        waiting = set(payloads)
        for address, payload in payloads.items():
            self.asked.append((self.clock.now, question, address))
            found = self.behaviours[address](question, payload)
            if found is not None:
                due[address] = (self.clock.now + found[0], found[1])
        while waiting:
            ready = [a for a in sorted(waiting) if a in due and due[a][0] <= self.clock.now]
            for address in ready:
                waiting.discard(address)
                yield address, due[address][1]
            if not ready:
                self.clock.sleep(self.step)
                self.moved += self.step * self.rate(self.clock.now)
                yield Waiting(int(self.moved))
