"""The private step under audit: it keeps its promise in both modes, and one that does not is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from client.privacy.dp.randomness import Seeded
from simulations.audit import dirac
from simulations.audit.one_run import Guesses, guess
from simulations.audit.views import at, private_config

COUNT, GUESSES, PATIENTS = 1000, 300, 150


def _audit(epsilon: float, mode: str, seed: int, noise: float = 1.0) -> Guesses:
    config = at(private_config("tiny"), epsilon, mode=mode)
    plan = dirac.audited_plan(config, PATIENTS)
    coins = dirac.coins(COUNT, seed, "test")
    worse = replace(plan, noise_multiplier=plan.noise_multiplier * noise)
    return guess(dirac.released(worse, Seeded(seed, "test"), coins), coins, GUESSES, plan.delta)


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bound_does_not_pass_the_promise(mode: str, seed: int) -> None:
    assert _audit(1.0, mode, seed).epsilon <= 1.0
    assert 1.0 < _audit(8.0, mode, seed).epsilon <= 8.0, "an audit that finds nothing would prove nothing"


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
def test_a_fifth_of_the_noise_is_caught(mode: str) -> None:
    assert _audit(1.0, mode, 0, noise=0.2).epsilon > 1.0


def test_a_clipping_that_lets_five_times_as_much_through_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from client.privacy.dp import step

    original = step.on_grid
    monkeypatch.setattr(step, "on_grid", lambda gradient, clip: 5 * original(gradient, clip))
    assert _audit(1.0, "prototypes", 0).epsilon > 1.0


def test_what_is_released_follows_the_coins_without_noise() -> None:
    config = at(private_config("tiny"), 8.0)
    plan = replace(dirac.audited_plan(config, PATIENTS), noise_multiplier=0.0)
    coins = dirac.coins(50, 0, "test")
    scores = dirac.released(plan, Seeded(0, "test"), coins)
    assert np.array_equal(scores > scores.mean(), coins)
