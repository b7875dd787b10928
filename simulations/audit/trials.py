"""A lower bound on epsilon from many trials that are independent of each other: how often is "in" said, and rightly?

Under (epsilon, delta)-differential privacy a rule that says "in" of those who are in with probability t and of the
others with probability f has t <= e^epsilon f + delta. Both are bounded from the counts (Clopper and Pearson 1934), and
the rule is chosen on one half of the trials and counted on the other. Without noise it can refute any epsilon for which
there are trials enough, where guesses of a single run cannot (`one_run`): delta is paid once, not once a canary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from simulations.audit.one_run import CONFIDENCE

_FIRST = (
    400  # false alarms that the rule may have on the half it is chosen on, at most, in steps of about a tenth
)
_MARGIN = 1.2  # of trials over the least that refute a claim without noise
MOST = 1_000_000  # trials: enough for an epsilon of 10


@dataclass(frozen=True)
class Trials:
    """Counted on the second half. inside, found: who was in, and of how many "in" was said; outside, mistaken: the
    same of the others. epsilon: the lower bound. ceiling: what it would be had the rule never been wrong.
    """

    canaries: int
    inside: int
    found: int
    outside: int
    mistaken: int
    epsilon: float
    ceiling: float
    confidence: float


def wanted(claim: float, confidence: float = CONFIDENCE) -> int:
    """How many trials refute an epsilon of `claim` where nothing is hidden, MOST at most: half are judged, and half of
    these are outside.
    """
    least = 4 * _MARGIN * math.log(2 / (1 - confidence)) * math.exp(claim)
    return math.ceil(min(least, MOST))


def judge(scores: ArrayLike, included: ArrayLike, delta: float, confidence: float = CONFIDENCE) -> Trials:
    """Choose a threshold on the first half and count on the second; larger scores speak for "in". Both (M,)."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(included, dtype=bool)
    half = len(values) // 2
    threshold = _chosen(values[:half], truth[:half], delta, 1 - confidence)
    said, truth = values[half:] > threshold, truth[half:]
    inside, outside = int(truth.sum()), int((~truth).sum())
    found, mistaken = int((said & truth).sum()), int((said & ~truth).sum())
    error = 1 - confidence
    return Trials(
        len(values),
        inside,
        found,
        outside,
        mistaken,
        bound(inside, found, outside, mistaken, delta, error),
        bound(inside, inside, outside, 0, delta, error),
        confidence,
    )


def bound(inside: int, found: int, outside: int, mistaken: int, delta: float, error: float) -> float:
    """The least epsilon under which these counts are not too improbable at level `error`, 0 at least."""
    least = float(beta.ppf(error / 2, found, inside - found + 1)) if found else 0.0
    most = float(beta.ppf(1 - error / 2, mistaken + 1, outside - mistaken)) if mistaken < outside else 1.0
    return max(0.0, math.log((least - delta) / most)) if least > delta else 0.0


def _chosen(scores: NDArray[np.float64], truth: NDArray[np.bool_], delta: float, error: float) -> float:
    """The threshold with the highest bound here, among those that leave few of the others above."""
    outside = np.sort(scores[~truth])[::-1]
    inside = scores[truth]
    ranks = np.unique(np.geomspace(1, min(_FIRST, len(outside)), 60).astype(int)) - 1

    def worth(rank: int) -> float:
        above, mistaken = int((inside > outside[rank]).sum()), int((outside > outside[rank]).sum())
        return bound(len(inside), above, len(outside), mistaken, delta, error)

    return float(outside[max(ranks, key=worth)])
