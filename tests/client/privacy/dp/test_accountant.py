"""What steps cost, held against a computation of our own and against Google's accountant."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from client.privacy.dp.accountant import Steps, affordable, epsilon_of, noise_for, stated_error
from shared_model.errors import ConfigError

DELTAS = (1e-5, 1e-6, 1e-4)


def schedules(count: int) -> list[tuple[list[Steps], float]]:
    """Random schedules of one to three kinds of steps, each with an epsilon between about 0.3 and 12."""
    random = np.random.default_rng(20)
    found = []
    while len(found) < count:
        kinds = int(random.integers(1, 4))
        steps = [
            Steps(
                float(np.exp(random.uniform(np.log(0.6), np.log(6)))),
                float(np.exp(random.uniform(np.log(0.005), np.log(0.5)))),
                int(np.exp(random.uniform(np.log(10), np.log(600)))),
            )
            for _ in range(kinds)
        ]
        delta = DELTAS[len(found) % len(DELTAS)]
        size = math.sqrt(sum(s.count * (s.rate / s.noise_multiplier) ** 2 for s in steps))
        if 0.1 < size < 2:
            found.append((steps, delta))
    return found


# An independent account, with no code and no formula of Opacus's: the privacy loss of a step by the distribution
# function of x, on a grid, composed by FFT, in both directions (Koskela et al. 2020). It is an estimate, no bound: its
# cells are small enough for four digits.
CELL, SPAN = 1e-4, 60.0
EDGES = (np.arange(-round(SPAN / CELL), round(SPAN / CELL) + 1) - 0.5) * CELL
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2


def loss_of(step: Steps, direction: str) -> NDArray[np.float64]:
    """Probability of each cell of the privacy loss of one step; what lies beyond the grid is negligible."""
    sigma, q = step.noise_multiplier, step.rate

    def where(loss: NDArray[np.float64]) -> NDArray[np.float64]:
        """The x at which the mixture is exp(loss) times as likely as the plain Gaussian; it grows with x."""
        ratio = np.maximum((np.exp(loss) - (1 - q)) / q, 0.0)
        with np.errstate(divide="ignore"):
            return sigma**2 * np.log(ratio) + 0.5

    if direction == "remove":  # x comes from the mixture, of which the patient is part with probability q
        x = where(EDGES)
        return np.diff(q * norm.cdf((x - 1) / sigma) + (1 - q) * norm.cdf(x / sigma))
    return np.diff(
        norm.sf(where(-EDGES) / sigma)
    )  # x comes from the plain Gaussian, and the loss is the inverse


def independent_epsilon(schedule: list[Steps], delta: float) -> float:
    """Epsilon of the schedule, the worse of both directions."""
    found = []
    for direction in ("remove", "add"):
        spectrum = np.ones(len(CENTRES) // 2 + 1, dtype=complex)
        for step in schedule:
            spectrum *= np.fft.rfft(np.fft.ifftshift(loss_of(step, direction))) ** step.count
        found.append(smallest_epsilon(np.fft.fftshift(np.fft.irfft(spectrum, len(CENTRES))), delta))
    return max(found)


def smallest_epsilon(losses: NDArray[np.float64], delta: float) -> float:
    """The epsilon at which the expected excess of the loss falls to `delta`."""
    low, high = 0.0, SPAN
    for _ in range(40):
        middle = (low + high) / 2
        excess = float((losses * np.maximum(0, -np.expm1(middle - CENTRES))).sum())
        low, high = (middle, high) if excess > delta else (low, middle)
    return high


def exact_gaussian(sigma: float, delta: float) -> float:
    """Of one step on everybody (Balle and Wang 2018, theorem 8)."""
    low, high = 0.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        a, b = 1 / (2 * sigma) - middle * sigma, -1 / (2 * sigma) - middle * sigma
        low, high = (middle, high) if norm.cdf(a) - math.exp(middle) * norm.cdf(b) > delta else (low, middle)
    return high


@pytest.mark.parametrize("sigma", [0.7, 1.0, 3.0])
def test_one_step_on_everybody_costs_what_the_formula_says(sigma: float) -> None:
    exact, found = exact_gaussian(sigma, 1e-5), epsilon_of([Steps(sigma, 1.0, 1)], 1e-5)
    assert exact <= found <= 1.01 * exact


@pytest.mark.parametrize("index", range(3))
def test_the_cost_is_within_one_percent_of_an_independent_computation(index: int) -> None:
    check(*schedules(50)[index])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_random_schedules_cost_what_an_independent_computation_says() -> None:
    for schedule, delta in schedules(50):
        check(schedule, delta)


def check(schedule: list[Steps], delta: float) -> None:
    expected, found = independent_epsilon(schedule, delta), epsilon_of(schedule, delta)
    assert abs(found - expected) <= 0.01 * expected
    assert found >= expected - stated_error(expected)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_random_schedules_cost_what_googles_accountant_says(tmp_path: Path) -> None:
    cases = schedules(50)
    asked = [[[[s.noise_multiplier, s.rate, s.count] for s in steps], delta] for steps, delta in cases]
    for (steps, delta), expected in zip(cases, google_epsilons(asked, tmp_path), strict=True):
        found = epsilon_of(steps, delta)
        assert abs(found - expected) <= 0.01 * expected
        assert found >= expected - stated_error(expected)


# dp-accounting wants older versions of what the rest needs, so it has an environment of its own.
GOOGLE = """
import json, sys
from dp_accounting.pld import privacy_loss_distribution as pld
found = []
for steps, delta in json.load(sys.stdin):
    total = None
    for noise, rate, count in steps:
        one = pld.from_gaussian_mechanism(
            noise, sampling_prob=rate, value_discretization_interval=1e-4, use_connect_dots=True
        ).self_compose(count)
        total = one if total is None else total.compose(one)
    found.append(total.get_epsilon_for_delta(delta))
json.dump(found, sys.stdout)
"""


def google_epsilons(asked: list[object], folder: Path) -> list[float]:
    """dp-accounting's PLD, for add and remove; skips where its environment cannot be made."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "dp-accounting" / "bin" / "python"
    if not uv.exists():
        pytest.skip("uv is not installed beside this Python, so dp-accounting cannot be")
    commands = (
        [uv, "venv", "--python", sys.executable, folder / "dp-accounting"],
        [uv, "pip", "install", "--python", python, "dp-accounting==0.6.0"],
    )
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if made.returncode:
            pytest.skip(f"dp-accounting 0.6.0 cannot be installed here: {made.stderr.strip()[-200:]}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [python, "-c", GOOGLE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=500,
    )
    found: list[float] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize(("epsilon", "rate", "steps"), [(8.0, 0.113, 177), (1.0, 1.0, 288)])
def test_the_noise_for_a_budget_spends_it_and_no_more(epsilon: float, rate: float, steps: int) -> None:
    noise = noise_for(epsilon, 1e-5, rate, steps)
    assert 0.99 * epsilon <= epsilon_of([Steps(noise, rate, steps)], 1e-5) <= epsilon


def test_steps_stop_at_the_limit() -> None:
    before, step = [Steps(1.0, 0.05, 100)], Steps(1.2, 0.1, 31)
    count = affordable(before, step, 1e-5, 4.0)
    assert 0 < count < 31
    assert epsilon_of([*before, Steps(1.2, 0.1, count)], 1e-5) <= 4.0
    assert epsilon_of([*before, Steps(1.2, 0.1, count + 1)], 1e-5) > 4.0
    assert affordable(before, step, 1e-5, 0.1) == 0


def test_nothing_costs_nothing() -> None:
    assert epsilon_of([], 1e-5) == epsilon_of([Steps(1.0, 0.1, 0)], 1e-5) == 0


@pytest.mark.parametrize(
    ("steps", "delta", "where"),
    [
        (Steps(1.0, 0.1, 5), 0.0, "privacy.delta"),
        (Steps(1.0, 0.1, 5), 1.0, "privacy.delta"),
        (Steps(1.0, 0.1, 5), math.nan, "privacy.delta"),
        (Steps(0.0, 0.1, 5), 1e-5, "noise multiplier"),
        (Steps(1.0, 1.1, 5), 1e-5, "sampling rate"),
    ],
)
def test_what_has_no_cost_is_refused_by_name(steps: Steps, delta: float, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        epsilon_of([steps], delta)
    assert caught.value.where == where


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_a_budget_that_is_none_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="epsilon must be above 0"):
        noise_for(epsilon, 1e-5, 0.1, 10)


def test_a_budget_too_small_for_any_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"so small a privacy\.epsilon, got 1e-09"):
        noise_for(1e-9, 1e-5, 0.3, 100)
