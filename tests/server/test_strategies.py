from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from server.strategies import ServerStrategy
from shared_model.config.federation import FederationConfig, ServerOptimizerConfig
from shared_model.exchange.parameters import Arrays

Vector = NDArray[np.float64]
OPTIMIZER = ServerOptimizerConfig(
    learning_rate=0.7, momentum=0.8, adaptive_learning_rate=0.05, beta_1=0.85, beta_2=0.97, tau=0.01
)


def updates(rounds: int = 3) -> list[Arrays]:
    """What the sites' mean adds to the base in each round."""
    random = np.random.default_rng(1)
    shapes = {"model.a": (2, 3), "model.b": (4,), "model.c": ()}
    return [
        {n: np.asarray(random.normal(size=s), dtype=np.float32) for n, s in shapes.items()}
        for _ in range(rounds)
    ]


def run(strategy: str, optimizer: ServerOptimizerConfig = OPTIMIZER) -> list[Arrays]:
    """The model after each round."""
    bridge = ServerStrategy(FederationConfig(strategy=strategy, server_optimizer=optimizer))
    model = {n: np.ones_like(a) for n, a in updates()[0].items()}
    models = []
    for number, change in enumerate(updates(), start=1):
        model = bridge.next_model(number, model, {n: np.asarray(model[n] + change[n]) for n in model})
        models.append(model)
    return models


def expect(strategy: str, step: Callable[[int, Vector, dict[str, Vector]], Vector]) -> None:
    found = run(strategy)
    for name in found[0]:
        x = np.ones(found[0][name].shape)
        state = {"m": np.zeros_like(x), "v": np.zeros_like(x)}
        for number, (model, change) in enumerate(zip(found, updates(), strict=True), start=1):
            x = x + step(number, change[name].astype(np.float64), state)
            np.testing.assert_allclose(model[name], x, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox"])
def test_averaging_keeps_the_mean_bit_for_bit(strategy: str) -> None:
    base = {n: np.ones_like(a) for n, a in updates()[0].items()}
    mean = updates()[1]
    found = ServerStrategy(FederationConfig(strategy=strategy)).next_model(1, base, mean)
    assert list(found) == list(base)
    for name, array in mean.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_fedavgm_is_sgd_with_momentum_on_the_mean_change() -> None:
    def step(number: int, change: Vector, state: dict[str, Vector]) -> Vector:
        state["m"] = 0.8 * state["m"] + change
        return 0.7 * state["m"]

    expect("fedavgm", step)


def test_fedadam_is_adam_on_the_mean_change_with_flowers_bias_correction() -> None:
    def step(number: int, change: Vector, state: dict[str, Vector]) -> Vector:
        state["m"] = 0.85 * state["m"] + 0.15 * change
        state["v"] = 0.97 * state["v"] + 0.03 * change**2
        rate = 0.05 * np.sqrt(1 - 0.97 ** (number + 1)) / (1 - 0.85 ** (number + 1))
        return rate * state["m"] / (np.sqrt(state["v"]) + 0.01)

    expect("fedadam", step)


def test_fedyogi_is_yogi_on_the_mean_change() -> None:
    def step(number: int, change: Vector, state: dict[str, Vector]) -> Vector:
        state["m"] = 0.85 * state["m"] + 0.15 * change
        square = change**2
        state["v"] = state["v"] - 0.03 * square * np.sign(state["v"] - square)
        return 0.05 * state["m"] / (np.sqrt(state["v"]) + 0.01)

    expect("fedyogi", step)


def test_fedavgm_without_momentum_at_full_rate_is_fedavg() -> None:
    plain = ServerOptimizerConfig(learning_rate=1.0, momentum=0.0)
    for a, b in zip(run("fedavgm", plain), run("fedavg"), strict=True):
        assert all(np.allclose(a[name], b[name], rtol=1e-6) for name in a)
