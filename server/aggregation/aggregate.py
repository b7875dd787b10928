"""What the round loop needs of an aggregate, whichever rule stands behind it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from shared_model.exchange.parameters import Arrays


class Aggregate(Protocol):
    """The updates of one round."""

    def add(self, site: str, update: Arrays, weight: int, without: Collection[str] = ()) -> None:
        """Take one update, which does not count for the tensors of `without`.

        Raises OverflowError, leaving the aggregate as it was, for one that cannot be added.
        """
        ...

    def onto(self, model: Arrays, caught: int = 0) -> Arrays:
        """The model moved by what the updates say; a tensor of which too little is known stays as it is.

        caught: malicious sites whose updates are not among them.
        """
        ...

    def close(self) -> None:
        """Let go of everything that waited."""
        ...
