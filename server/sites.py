"""What the round loop needs of the sites, whoever carries the messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared_model.exchange import Payload
from shared_model.printable import printable
from shared_model.run_plan import Question

__all__ = ["Carried", "Question", "SiteFailure", "Sites", "Waiting"]


@dataclass(frozen=True)
class SiteFailure:
    """A site that did not answer, and why: in our words, or the sentence that its own worker sent, fit to be shown."""

    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable(self.reason))


@dataclass(frozen=True)
class Waiting:
    """Nothing has arrived for a moment: whoever asks looks at the clock, and may close the iterator to ask no longer.

    moved: bytes that the transport has moved so far in all, where it can tell. late: addresses whose answers to a
    question that was given up have arrived since, and were dropped. again: addresses that were asked once more, since
    the question or its answer was lost on the way.
    """

    moved: int = 0
    late: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Carried:
    """One message went to an address or came from it: tensors and fields in bytes, without the transport's framing.

    Told of every message, whatever becomes of it: a question that is asked once more, an answer that nobody waits for
    any longer or that cannot be used. Both 0: what was to be sent did not go.
    """

    address: str
    up: int = 0
    down: int = 0


class Sites(Protocol):
    """The sites of a run, by an address that only the carrier understands."""

    def addresses(self) -> list[str]:
        """Addresses of the sites that are there now."""
        ...

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Waiting | Carried]:
        """Ask each address once; answers as they arrive, in any order. Payloads may share their arrays.

        A carrier that can be kept waiting says so (Waiting); one that has every answer at hand never does. A carrier
        whose messages can be lost or late tells of each (Carried); of the others' each request and answer counts once.
        """
        ...
