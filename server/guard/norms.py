"""Norms of updates: against the running distribution, and scaled down to a bound.

The distribution is that of the rounds before and never of the round under way, so that who answers first changes
nothing. It knows nothing in the first round, where only the absolute bound holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from shared_model.exchange.parameters import Arrays

WINDOW = 64  # norms that are remembered
FEWEST = 3  # below which nothing is said of a distribution


def update_norm(update: Mapping[str, NDArray[np.float32]], base: Mapping[str, NDArray[np.float32]]) -> float:
    """L2 norm of update - base over all tensors; infinite or NaN where a number is."""
    square = 0.0
    for name, array in base.items():
        square += float(np.square(update[name].astype(np.float64) - array).sum())
    return math.sqrt(square)


def clipped(update: Arrays, base: Arrays, norm: float, bound: float) -> Arrays:
    """The update, its change scaled down to `bound` where its norm is larger; itself where bound is 0."""
    if not bound or norm <= bound:
        return update
    factor = bound / norm
    return {
        name: np.asarray(
            array.astype(np.float64) + (update[name].astype(np.float64) - array) * factor, np.float32
        )
        for name, array in base.items()
    }


class NormHistory:
    """Norms of the updates that were used, oldest first. factor: multiples of their median that pass; 0 is all."""

    def __init__(self, factor: float, norms: Iterable[float] = ()) -> None:
        self.norms = list(norms)
        self._factor = factor

    @property
    def bound(self) -> float:
        """The largest norm that passes in the next round."""
        if not self._factor or len(self.norms) < FEWEST:
            return math.inf
        return self._factor * median(self.norms)

    def extend(self, norms: Mapping[str, float]) -> None:
        """Remember a finished round: site to norm, taken by name."""
        self.norms = (self.norms + [norms[site] for site in sorted(norms)])[-WINDOW:]
