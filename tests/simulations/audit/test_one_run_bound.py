"""The lower bound on epsilon: what it is worth when every guess is right, and that chance and luck do not pass it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shared_model.randomness import numpy_generator
from simulations.audit.one_run import epsilon_bound, guess, probability


def test_all_guesses_right_give_the_bound_of_the_binomial() -> None:
    each = 0.05 ** (1 / 100)  # the accuracy at which 100 right guesses of 100 have a probability of 5 %
    assert epsilon_bound(100, 100, 100, 0.0, 0.05) == pytest.approx(math.log(each / (1 - each)), abs=1e-3)


def test_guesses_no_better_than_chance_refute_nothing() -> None:
    assert epsilon_bound(100, 100, 55, 0.0, 0.001) == 0.0


def test_delta_lowers_the_bound() -> None:
    assert epsilon_bound(1000, 200, 190, 1e-5, 0.001) < epsilon_bound(1000, 200, 190, 0.0, 0.001)


def test_the_probability_grows_with_epsilon_and_falls_with_right_guesses() -> None:
    over_epsilon = [probability(500, 100, 90, epsilon, 1e-5) for epsilon in (0.0, 1.0, 2.0, 4.0)]
    over_right = [probability(500, 100, right, 1.0, 1e-5) for right in (60, 75, 90, 100)]
    assert over_epsilon == sorted(over_epsilon)
    assert over_right == sorted(over_right, reverse=True)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomised_response_is_never_refuted_at_its_own_epsilon(epsilon: float) -> None:
    """500 audits of the mechanism that the bound is tight for; at 99.9 % one of a thousand may fail."""
    failures = 0
    for seed in range(500):
        random = numpy_generator(seed, "randomised response")
        coins = random.random(400) < 0.5
        told = np.where(random.random(400) < 1 / (1 + math.exp(-epsilon)), coins, ~coins)
        failures += guess(told + 1e-3 * random.random(400), coins, 200, 0.0).epsilon > epsilon
    assert failures <= 3


def test_ties_are_not_broken_by_the_coins() -> None:
    coins = np.arange(100) < 50
    found = guess(np.zeros(100), coins, 40, 0.0)
    assert found.right == 0
    assert found.epsilon == 0.0
