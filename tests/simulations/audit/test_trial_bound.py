"""The bound from independent trials: what it is worth when "in" is never wrong, and that chance does not pass it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shared_model.randomness import numpy_generator
from simulations.audit.trials import MOST, bound, judge, wanted


def test_a_rule_that_is_never_wrong_gives_the_bound_of_the_counts() -> None:
    miss = 1 - 0.0005 ** (
        1 / 1000
    )  # the rate at which 1,000 trials without a miss have a probability of 0.05 %
    expected = math.log((1 - miss - 1e-5) / miss)
    assert bound(1000, 1000, 1000, 0, 1e-5, 0.001) == pytest.approx(expected)


def test_chance_and_nothing_said_refute_nothing() -> None:
    assert bound(1000, 500, 1000, 500, 1e-5, 0.001) == 0.0
    assert bound(1000, 0, 1000, 0, 1e-5, 0.001) == 0.0
    assert bound(1000, 1000, 1000, 1000, 1e-5, 0.001) == 0.0


@pytest.mark.parametrize("claim", [0.5, 1.0, 3.0, 8.0])
def test_so_many_trials_refute_a_claim_where_nothing_is_hidden(claim: float) -> None:
    count = 8 + wanted(claim)
    coins = numpy_generator(0, "trials").random(count) < 0.5
    found = judge(coins.astype(float), coins, 1e-5)
    assert found.mistaken == 0
    assert found.found == found.inside
    assert claim < found.epsilon == found.ceiling


def test_a_claim_that_no_audit_could_refute_does_not_take_for_ever() -> None:
    assert wanted(100.0) == MOST


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomised_response_is_never_refuted_at_its_own_epsilon(epsilon: float) -> None:
    """500 audits of the mechanism for which the likeliest rule is exactly as good as epsilon allows."""
    failures = 0
    for seed in range(500):
        random = numpy_generator(seed, "randomised response in trials")
        coins = random.random(1000) < 0.5
        told = np.where(random.random(1000) < 1 / (1 + math.exp(-epsilon)), coins, ~coins)
        failures += judge(told + 1e-3 * random.random(1000), coins, 0.0).epsilon > epsilon
    assert failures <= 3


def test_a_gaussian_mechanism_is_nearly_reached() -> None:
    """Mean 0 against mean 1 at a deviation of 0.5: over 3 is refuted, and (1e-5) 8.3 is what it costs."""
    random = numpy_generator(1, "gaussian in trials")
    coins = random.random(40_000) < 0.5
    found = judge(coins + 0.5 * random.standard_normal(40_000), coins, 1e-5)
    assert 3.0 < found.epsilon < 8.3
