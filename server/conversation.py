"""One question to many sites, some of whom may be asked again while others still think.

A site may have to be sent the whole set in place of a change, or may come back while the round waits for its
quorum: neither has to wait until everybody else has answered.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping

from server.sites import Carried, Question, SiteFailure, Sites, Waiting
from shared_model.exchange import Payload

IDLE_SECONDS = 0.2

Arrival = tuple[str, Payload | SiteFailure] | Waiting


class Conversation:
    """linger: whether to go on, idle, when everybody who was asked has answered: somebody may be asked yet.

    Bytes are those that the carrier tells of (Carried); of one that tells nothing, each request and answer counts once.
    """

    def __init__(self, sites: Sites, question: Question, linger: Callable[[], bool] = lambda: False) -> None:
        self.open: dict[str, int] = {}  # address to the bytes of the request that it has not answered yet
        self._up: Counter[str] = Counter()
        self._down: Counter[str] = Counter()
        self._told = False  # whether the carrier tells of its messages
        self._sites = sites
        self._question = question
        self._linger = linger
        self._turns: deque[Iterator[Arrival | Carried]] = deque()

    def ask(self, requests: Mapping[str, Payload]) -> None:
        """Ask these addresses, none of which is being asked already."""
        for address, request in requests.items():
            self.open[address] = request.nbytes
        if requests:
            self._turns.append(self._sites.ask(self._question, requests))

    def __iter__(self) -> Iterator[Arrival]:
        """Answers as they arrive; `ask` may be called in between."""
        while self._turns or self._linger():
            if not self._turns:
                time.sleep(IDLE_SECONDS)
                yield Waiting()
                continue
            arrival = next(self._turns[0], None)
            if arrival is None:
                self._turns.popleft()
                continue
            if isinstance(arrival, Carried):
                self._told = True
                self._up[arrival.address] += arrival.up
                self._down[arrival.address] += arrival.down
                continue
            if isinstance(arrival, Waiting):
                self._turns.rotate(-1)
            else:
                self._heard(*arrival)
            yield arrival

    def taken(self, address: str) -> tuple[int, int]:
        """Bytes up and down of this address since it was last asked for them."""
        return self._up.pop(address, 0), self._down.pop(address, 0)

    def close(self) -> dict[str, tuple[int, int]]:
        """Ask no longer; answers that arrive later are the carrier's to drop. Bytes by address that nobody has taken,
        among them those of requests without an answer and of answers that came too late.
        """
        while self._turns:
            close = getattr(self._turns.popleft(), "close", None)
            if close is not None:
                close()
        if not self._told:
            self._down.update(self.open)
        return {address: self.taken(address) for address in {*self._up, *self._down}}

    def _heard(self, address: str, answer: Payload | SiteFailure) -> None:
        sent = self.open.pop(address, 0)
        if not self._told:
            self._down[address] += sent
            self._up[address] += answer.nbytes if isinstance(answer, Payload) else 0
