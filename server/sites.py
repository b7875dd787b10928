"""What the round loop needs of the sites, whoever carries the messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from shared_model.exchange import Payload

Question = Literal["join", "statistics", "train", "evaluate"]


@dataclass(frozen=True)
class SiteFailure:
    """A site that did not answer; the reason carries no text of the site's own."""

    reason: str


class Sites(Protocol):
    """The sites of a run, by an address that only the carrier understands."""

    def addresses(self) -> list[str]:
        """Addresses of the sites that are there now."""
        ...

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        """Ask each address once; answers as they arrive, in any order. Payloads may share their arrays."""
        ...
