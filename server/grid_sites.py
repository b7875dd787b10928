"""The sites behind a Flower Grid, asked by pushing messages and looking for replies.

`Grid.send_and_receive` would hold all replies back, sleep three seconds between looks and never give a message up.
Here replies are handed on as they arrive, the pauses between looks grow from a twentieth of a second to one while
nothing comes, and what arrives for a question that was given up is taken in and dropped, so that it does not stay in
Flower's store. Questions that went astray on the way are asked again (server.astray).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx
from flwr.app import ArrayRecord, Message
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from server.astray import Astray
from server.errors import Code, CoordinatorError
from server.flower_errors import meaning
from server.sites import Carried, Question, SiteFailure, Waiting
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import (
    MESSAGE_TYPES,
    PROBE,
    PROBLEM,
    carried_bytes,
    from_records,
    to_array_record,
    to_records,
)

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.05, 1.0, 1.5  # seconds between looks, and what follows each empty one
FEW_BYTES = 1 << 25  # of one question's tensors over all sites: so many replies may be in memory at once
ABSENT = "is not connected"


class GridSites:
    """server.sites.Sites over a Flower Grid.

    moved: bytes that the transport has moved so far, where it can tell. probing: whether the sites have gateways that
    answer one message after the other, so that one which answers a later message has lost the earlier.
    """

    def __init__(self, grid: Grid, moved: Callable[[], int] = lambda: 0, *, probing: bool = False) -> None:
        self.grid = grid
        self._moved = moved
        self._probing = probing
        self._given_up: dict[str, str] = {}  # message id -> address

    def addresses(self) -> list[str]:
        """Node ids of the nodes that are connected now, in numeric order."""
        with _named():
            return [str(node) for node in sorted(self.grid.get_node_ids())]

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Waiting | Carried]:
        """Push one message an address, then pull until every one is answered or the iterator is closed.

        Payloads of the same arrays become messages of the same bytes, so that many sites take no more memory.
        """
        waiting: dict[str, str] = {}  # message id -> address
        astray = Astray(self._probe if self._probing else None)
        try:
            yield from self._push(question, payloads, waiting)
            pause = FIRST_PAUSE
            together = sum(payload.nbytes for payload in payloads.values()) <= FEW_BYTES
            while waiting:
                astray.look(waiting)
                late: list[str] = []
                unanswered = len(waiting)
                for reply in self._pull([*astray.probes, *waiting, *self._given_up], together=together):
                    yield from self._take(reply, waiting, astray, late)
                arrived = len(waiting) < unanswered
                again = {identity: waiting.pop(identity) for identity in astray.lost(waiting)}
                self._given_up |= again
                yield from self._push(question, {a: payloads[a] for a in again.values()}, waiting)
                if late or again or not arrived:
                    yield Waiting(self._moved(), tuple(late), tuple(again.values()))
                if arrived:
                    pause = FIRST_PAUSE
                elif waiting:
                    time.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * GROWTH)
        finally:
            self._given_up |= waiting

    def _take(
        self, reply: Message, waiting: dict[str, str], astray: Astray, late: list[str]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Carried]:
        """Tell a probe's reply, one that comes too `late`, the end of one that was lost, and an answer apart."""
        identity = reply.metadata.reply_to_message_id
        if identity in astray.probes:
            astray.answered(identity, lost=not reply.has_error())
        elif identity in self._given_up:
            late.append(self._given_up.pop(identity))
            yield Carried(late[-1], up=_size(reply))
        elif identity in waiting and self._probing and _cut_off(reply):
            astray.found(identity)
        elif identity in waiting:
            address, answer = waiting.pop(identity), _answer(reply)
            yield Carried(address, up=_size(reply, answer))
            yield address, answer

    def _probe(self, address: str) -> str | None:
        """Push a message that asks nothing; its id, None where the node has left."""
        content = to_records(Payload())
        with _named():
            identities = list(
                self.grid.push_messages([Message(content, dst_node_id=int(address), message_type=PROBE)])
            )
        return identities[0] if identities and identities[0] else None

    def _push(
        self, question: Question, payloads: Mapping[str, Payload], waiting: dict[str, str]
    ) -> Iterator[tuple[str, SiteFailure] | Carried]:
        shared: dict[int, ArrayRecord] = {}
        for address, payload in payloads.items():
            if id(payload.arrays) not in shared:
                shared[id(payload.arrays)] = to_array_record(payload.arrays)
            content = to_records(payload, shared[id(payload.arrays)])
            message = Message(content, dst_node_id=int(address), message_type=MESSAGE_TYPES[question])
            with _named():
                identities = list(self.grid.push_messages([message]))
            if identities and identities[0]:
                waiting[identities[0]] = address
                yield Carried(address, down=payload.nbytes)
            else:  # Flower's answer for a node that has left
                yield Carried(address)
                yield address, SiteFailure(ABSENT)

    def _pull(self, identities: list[str], *, together: bool) -> Iterator[Message]:
        """Replies that are there, one in memory at a time: asked for all of them, a grid holds all that have arrived.

        together: ask for all at once nevertheless, since they are small and a request each would take longer.
        The grids of a simulation give one at each look anyway, and wait for it.
        """
        at_once = together or getattr(self.grid, "one_a_look", False)
        for asked in [identities] if at_once else [[identity] for identity in identities]:
            with _named():
                found = list(self.grid.pull_messages(asked))
            yield from found


def _cut_off(reply: Message) -> bool:
    """Whether the site began to send its answer, and never sent the rest."""
    return reply.has_error() and reply.error.code == ErrorCode.MESSAGE_UNAVAILABLE


def _size(reply: Message, answer: Payload | SiteFailure | None = None) -> int:
    """Bytes of a reply, whether or not it is read or can be."""
    if isinstance(answer, Payload):
        return answer.nbytes
    return 0 if reply.has_error() else carried_bytes(reply.content)


def _answer(reply: Message) -> Payload | SiteFailure:
    if reply.has_error():
        return SiteFailure(meaning(reply.error.code))
    try:
        payload = from_records(reply.content)
    except (KeyError, ValueError) as error:
        return SiteFailure(f"an answer that is not ours ({type(error).__name__})")
    problem = payload.fields.get(PROBLEM)
    return payload if problem is None else SiteFailure(str(problem))


@contextmanager
def _named() -> Iterator[None]:
    """Flower has retried for a while already when it says that the SuperLink cannot be reached."""
    try:
        yield
    except (httpx.HTTPError, ConnectionError) as error:
        raise CoordinatorError(
            Code.UNREACHABLE,
            f"the SuperLink does not answer ({type(error).__name__})",
            where="the coordinator's machine",
            fix="see the SuperLink's log, start it again, then: fedfundus-coordinator resume",
        ) from None
