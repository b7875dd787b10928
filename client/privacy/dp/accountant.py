"""What steps cost: Opacus's PRV accountant (Gopi et al. 2021) for the Poisson-subsampled Gaussian mechanism.

It gives an upper bound, of which the stated error is part. Where its numerics give up, the bound is that of Renyi
differential privacy (Mironov et al. 2019), which is looser and always holds.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.optimize import brentq

from shared_model.errors import ConfigError

RELATIVE_ERROR, LEAST_ERROR = 2e-3, 1e-3  # by how much an epsilon may be overstated: a share, or absolutely
_PRECISION, _MOST = 5e-4, 14.0  # of the logarithm of the noise
_LEAST_LOOSE = 0.5  # below it, Renyi's bound stops falling however much noise there is


@dataclass(frozen=True)
class Steps:
    """`count` steps alike. noise_multiplier: of the sensitivity; rate: probability of each patient in a step."""

    noise_multiplier: float
    rate: float
    count: int


def stated_error(epsilon: float) -> float:
    """By how much `epsilon_of` may lie above the true value, in epsilon, for its numerics alone."""
    return max(RELATIVE_ERROR * epsilon, LEAST_ERROR)


@lru_cache(maxsize=256)
def composed(schedule: tuple[Steps, ...], delta: float) -> float:
    """`epsilon_of`, remembered: it takes a second, and the same account is read again and again."""
    return epsilon_of(schedule, delta)


def within(schedule: tuple[Steps, ...], delta: float, limit: float) -> bool:
    """Whether these steps together cost at most `limit`. The loose bound answers most questions, at once."""
    history = _history(schedule)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not history or _loose(history, delta) <= limit:
            return limit >= 0
    return composed(schedule, delta) <= limit


def epsilon_of(schedule: Sequence[Steps], delta: float) -> float:
    """An epsilon for which all these steps together are (epsilon, delta)-differentially private, add or remove one.

    Raises ConfigError for a delta outside (0, 1) and steps that no epsilon bounds.
    """
    _require(0 < delta < 1, "delta must be above 0 and below 1", "privacy.delta", delta)
    history = _history(schedule)
    if not history:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # best order at the edge, log(0) at a rate of 1: neither changes the bound
        loose = _loose(history, delta)
        found = min(loose, _tight(history, delta, stated_error(loose)))
        if stated_error(loose) > 1.5 * stated_error(found):  # that error was for a bound far off
            found = min(found, _tight(history, delta, stated_error(found)))
        return found


@lru_cache(maxsize=256)
def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise multiplier, to one part in a thousand, for which `steps` steps cost at most `epsilon`."""
    _require(math.isfinite(epsilon) and epsilon > 0, "epsilon must be above 0", "privacy.epsilon", epsilon)
    _require(0 < rate <= 1, "must be above 0 and at most 1", "sampling rate", rate)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = max(epsilon, _LEAST_LOOSE)
        guess = _root(lambda noise: _loose([(noise, rate, steps)], delta) / near, 0.0, 0.5, epsilon)

    @lru_cache
    def cost(noise: float) -> float:
        return epsilon_of([Steps(noise, rate, steps)], delta) / epsilon

    found = _root(cost, guess, 0.2, epsilon)
    while cost(math.exp(found)) > 1:
        found += _PRECISION
    return math.exp(found)


def affordable(schedule: Sequence[Steps], step: Steps, delta: float, limit: float) -> int:
    """How many of `step.count` steps may follow `schedule` with everything together costing at most `limit`."""

    def fits(count: int) -> bool:
        return within(merged([*schedule, replace(step, count=count)]), delta, limit)

    if step.count < 1 or limit <= 0 or fits(step.count):
        return step.count if limit > 0 else 0
    if not fits(1):
        return 0
    low, high = 1, step.count - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def merged(schedule: Iterable[Steps]) -> tuple[Steps, ...]:
    """The same steps with those that are alike counted together: order makes no difference to what they cost."""
    counts: Counter[tuple[float, float]] = Counter()
    for steps in schedule:
        counts[(steps.noise_multiplier, steps.rate)] += steps.count
    return tuple(Steps(noise, rate, count) for (noise, rate), count in sorted(counts.items()))


def _root(cost: Callable[[float], float], guess: float, stride: float, epsilon: float) -> float:
    """The logarithm of the noise at which `cost`, which falls as noise grows, is 1; searched from `guess` on."""
    low = high = guess
    while cost(math.exp(high)) > 1:
        low, high, stride = high, high + stride, 2 * stride
        _require(
            high < _MOST, "no noise is enough for so small a privacy.epsilon", "privacy.epsilon", epsilon
        )
    while low == high or cost(math.exp(low)) <= 1:
        low, high, stride = low - stride, low, 2 * stride
    return float(brentq(lambda x: math.log(max(cost(math.exp(x)), 1e-9)), low, high, xtol=_PRECISION))


def _history(schedule: Sequence[Steps]) -> list[tuple[float, float, int]]:
    history = [(s.noise_multiplier, s.rate, s.count) for s in schedule if s.count > 0 and s.rate > 0]
    for noise, rate, _ in history:
        _require(math.isfinite(noise) and noise > 0, "noise must be above 0", "noise multiplier", noise)
        _require(rate <= 1, "a probability cannot be above 1", "sampling rate", rate)
    return history


def _tight(history: list[tuple[float, float, int]], delta: float, error: float) -> float:
    accountant = PRVAccountant()
    accountant.history = list(history)
    try:
        found = float(accountant.get_epsilon(delta, eps_error=error))
    except (RuntimeError, ValueError, IndexError, FloatingPointError, MemoryError):
        return math.inf
    return found if math.isfinite(found) and found >= 0 else math.inf


def _loose(history: list[tuple[float, float, int]], delta: float) -> float:
    accountant = RDPAccountant()
    accountant.history = list(history)
    return float(accountant.get_epsilon(delta))


def _require(holds: bool, what: str, where: str, value: float) -> None:
    if not holds:
        raise ConfigError(f"{what}, got {value:g}", where=where, fix="correct it in [privacy]")
