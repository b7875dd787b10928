"""A lower bound on epsilon from one run with many canaries (Steinke, Nasr and Jagielski 2023, Theorem 5.2).

Each canary was in or out by a fair coin of its own. The attacker ranks them, says "in" of the first, "out" of the
last and nothing of the others. Under (epsilon, delta)-differential privacy so many right guesses as it had are
improbable; every epsilon under which they are too improbable is refuted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

CONFIDENCE = 0.999
_MOST = 64.0  # an epsilon that nobody would take for a bound


@dataclass(frozen=True)
class Guesses:
    """canaries: all of them. guesses: how many were guessed of. right: of these. epsilon: the lower bound."""

    canaries: int
    guesses: int
    right: int
    epsilon: float
    confidence: float


def guess(
    scores: ArrayLike, included: ArrayLike, guesses: int, delta: float, confidence: float = CONFIDENCE
) -> Guesses:
    """Guess of the `guesses` canaries with the most extreme scores, half of either end; larger speaks for "in".

    scores, included: (M,) of each canary. `guesses` must be chosen without looking at them. Ties are broken by
    position, which the coins do not depend on.
    """
    ranking, truth = np.asarray(scores, dtype=np.float64), np.asarray(included, dtype=bool)
    half = min(guesses, len(truth)) // 2
    order = np.argsort(ranking, kind="stable")
    right = int(truth[order[len(order) - half :]].sum() + (~truth[order[:half]]).sum())
    bound = epsilon_bound(len(truth), 2 * half, right, delta, 1 - confidence)
    return Guesses(len(truth), 2 * half, right, bound, confidence)


def epsilon_bound(canaries: int, guesses: int, right: int, delta: float, error: float) -> float:
    """The largest epsilon refuted at level `error` by `right` of `guesses` right guesses; 0 where none is."""
    if probability(canaries, guesses, right, 0.0, delta) > error:
        return 0.0
    low, high = 0.0, _MOST
    while high - low > 1e-4:
        middle = (low + high) / 2
        if probability(canaries, guesses, right, middle, delta) > error:
            high = middle
        else:
            low = middle
    return low


def probability(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """At most the probability of so many right guesses under (epsilon, delta)-differential privacy."""
    each = 1 / (1 + math.exp(-epsilon))  # of a right guess, by randomised response at epsilon
    tail = float(binom.sf(right - 1, guesses, each))
    # What delta adds: the most that a mass of i guesses' worth below `right` gives, for any i.
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, each))
    worst = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, tail + 2 * canaries * delta * worst)
