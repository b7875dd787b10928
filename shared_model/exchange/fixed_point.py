"""A weighted sum of updates that is exact, whatever the order of arrival.

Floating-point sums depend on their order; integers do not. Each update's difference to the round's base is rounded
to a multiple of 2**-36, multiplied by its integer weight and added in int64. With |difference| < 2**7 and weights
summing to at most 2**20, the sum stays below 2**63. Memory is one int64 array a tensor, however many sites.

Every tensor has a weight of its own: a hospital without notes has nothing to say about the text encoder, and its
unchanged copy must not hold back those who trained it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a gateway knows the weights' limit, and has no business with torch
    from shared_model.exchange.parameters import Arrays

SCALE_BITS = 36
LARGEST_DIFFERENCE = 2.0**7
LARGEST_WEIGHT = 2**20


class FixedPointSum:
    """Running sum of weight * (update - base). weight: of all updates; weights: of those that count, by tensor."""

    def __init__(self, base: Mapping[str, NDArray[np.float32]]) -> None:
        self.base = base
        self.weight = 0
        self.weights = dict.fromkeys(base, 0)
        self.sums = {name: np.zeros(array.shape, dtype=np.int64) for name, array in base.items()}

    def add(
        self, update: Mapping[str, NDArray[np.float32]], weight: int, without: Collection[str] = ()
    ) -> None:
        """Add one update, which does not count for the tensors of `without`.

        Raises OverflowError, leaving the sum as it was, where a bound would be passed.
        """
        if weight < 1 or self.weight + weight > LARGEST_WEIGHT:
            raise OverflowError(f"weights must be positive and sum to at most {LARGEST_WEIGHT}")
        counted = [name for name in self.base if name not in without]
        differences = {name: self._difference(name, update[name]) for name in counted}
        for name, difference in differences.items():
            self.sums[name] += difference * weight
            self.weights[name] += weight
        self.weight += weight

    def mean(self, onto: Mapping[str, NDArray[np.float32]] | None = None) -> Arrays:
        """onto + sum / weight, fp32; a tensor for which no update counts is as it was.

        onto: the base by default; the model of which the base is the rounded image, where there is one.
        Raises ZeroDivisionError before anything was added.
        """
        if self.weight == 0:
            raise ZeroDivisionError("no update was added")
        return {name: self._mean(name, start) for name, start in (onto or self.base).items()}

    def _mean(self, name: str, start: NDArray[np.float32]) -> NDArray[np.float32]:
        scale = float(max(1, self.weights[name])) * 2.0**SCALE_BITS
        return np.asarray(start.astype(np.float64) + self.sums[name] / scale, dtype=np.float32)

    def _difference(self, name: str, value: NDArray[np.float32]) -> NDArray[np.int64]:
        difference = np.rint((value.astype(np.float64) - self.base[name]) * 2.0**SCALE_BITS)
        bound = (
            LARGEST_DIFFERENCE * 2.0**SCALE_BITS
        )  # held against the rounded value: at it, the sum would wrap
        if difference.size and not np.abs(difference).max() < bound:  # also catches NaN
            raise OverflowError(f"{name} differs from its base by {LARGEST_DIFFERENCE:g} or more")
        return difference.astype(np.int64)
