"""The private step under audit: it keeps its promise in both modes, and one that does not is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from client.privacy.dp.randomness import Randomness, Seeded
from simulations.audit import dirac, trials
from simulations.audit.trials import Trials, judge
from simulations.audit.views import at, private_config

COUNT, PATIENTS = 4000, 150


def _audit(epsilon: float, mode: str, seed: int, noise: float = 1.0, count: int = COUNT) -> Trials:
    config = at(private_config("tiny"), epsilon, mode=mode)
    scores, coins = dirac.attack(config, "test", PATIENTS, seed, count, noise)
    return judge(scores, coins, config.privacy.delta)


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bound_does_not_pass_the_promise(mode: str, seed: int) -> None:
    assert _audit(1.0, mode, seed).epsilon <= 1.0
    assert 1.0 < _audit(8.0, mode, seed).epsilon <= 8.0, "an audit that finds nothing would prove nothing"


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
def test_a_quarter_of_the_noise_is_caught(mode: str) -> None:
    assert _audit(1.0, mode, 0, noise=0.25, count=20_000).epsilon > 1.0


def test_a_clipping_that_lets_five_times_as_much_through_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from client.privacy.dp import step

    original = step.on_grid
    monkeypatch.setattr(step, "on_grid", lambda *given: 5 * original(*given))
    assert _audit(1.0, "prototypes", 0).epsilon > 1.0


def test_without_noise_a_claim_of_one_is_refuted() -> None:
    assert _audit(1.0, "prototypes", 0, noise=0.0).epsilon > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["prototypes", "groups"])
def test_without_noise_a_claim_of_eight_is_refuted_and_a_quarter_of_the_noise_is_caught(mode: str) -> None:
    count = trials.wanted(8.0)
    assert _audit(8.0, mode, 0, noise=0.0, count=count).epsilon > 8.0
    assert _audit(8.0, mode, 0, count=count).epsilon <= 8.0
    assert _audit(8.0, mode, 0, noise=0.25, count=count).epsilon > 8.0


def test_the_operating_systems_noise_keeps_the_promise() -> None:
    config = at(private_config("tiny"), 8.0, seeded=False)
    first, again = (dirac.attack(config, "test", PATIENTS, 0, COUNT) for _ in range(2))
    assert not np.array_equal(first[0], again[0]), "no seed decides it"
    assert 1.0 < judge(*first, config.privacy.delta).epsilon <= 8.0


def test_what_is_released_follows_the_coins_without_noise() -> None:
    config = at(private_config("tiny"), 8.0)
    plan = replace(dirac.audited_plan(config, PATIENTS), noise_multiplier=0.0)
    coins = dirac.coins(50, 0, "test")
    scores = dirac.released(plan, Seeded(0, "test"), coins)
    assert np.array_equal(scores > scores.mean(), coins)


def test_each_run_of_the_steps_has_draws_of_its_own() -> None:
    config = at(private_config("tiny"), 8.0)
    asked: list[int] = []

    def source(number: int) -> Randomness:
        asked.append(number)
        return Seeded(number, "test")

    coins = dirac.coins(dirac.BLOCK + 10, 0, "test")
    scores = dirac.blocks(dirac.audited_plan(config, PATIENTS), source, coins)
    assert asked == [0, 1]
    assert len(scores) == len(coins)
