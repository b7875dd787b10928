"""The weighted mean of a round's updates as a running sum: one int64 array a tensor, however many sites answer."""

from __future__ import annotations

from collections.abc import Collection

from shared_model.exchange import FixedPointSum
from shared_model.exchange.parameters import Arrays


class RunningMean:
    """shared_model.exchange.FixedPointSum as a server.aggregation.Aggregate."""

    def __init__(self, base: Arrays) -> None:
        self._sum = FixedPointSum(base)

    def add(self, site: str, update: Arrays, weight: int, without: Collection[str] = ()) -> None:
        """Add the update at once; whose it is does not matter."""
        self._sum.add(update, weight, without)

    def onto(self, model: Arrays, caught: int = 0) -> Arrays:
        """The model moved by the mean; a tensor that nobody trained stays as it is."""
        return self._sum.mean(onto=model)

    def close(self) -> None:
        """Nothing waits here."""
