"""One question to many sites, some of whom may be asked again while others still think.

A site may have to be sent the whole set in place of a change, or may come back while the round waits for its
quorum: neither has to wait until everybody else has answered.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from server.sites import Question, SiteFailure, Sites, Waiting
from shared_model.exchange import Payload

IDLE_SECONDS = 0.2

Arrival = tuple[str, Payload | SiteFailure] | Waiting


class Conversation:
    """linger: whether to go on, idle, when everybody who was asked has answered: somebody may be asked yet."""

    def __init__(self, sites: Sites, question: Question, linger: Callable[[], bool] = lambda: False) -> None:
        self.open: dict[str, int] = {}  # address to the bytes that it was sent and has not answered yet
        self._sites = sites
        self._question = question
        self._linger = linger
        self._turns: deque[Iterator[Arrival]] = deque()

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
            if isinstance(arrival, Waiting):
                self._turns.rotate(-1)
            else:
                self.open.pop(arrival[0], None)
            yield arrival

    def close(self) -> None:
        """Ask no longer; answers that arrive later are the carrier's to drop."""
        while self._turns:
            close = getattr(self._turns.popleft(), "close", None)
            if close is not None:
                close()
