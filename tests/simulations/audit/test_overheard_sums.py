"""What is read out of AdamW's moments is what it was given; least squares tells coins from sums of contributions."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from client.privacy.dp.plan import Plan
from shared_model.randomness import numpy_generator
from simulations.audit.overheard import first_moments, given
from simulations.audit.tallies import Contributions, marked

PLAN = Plan("prototypes", 100, 1.0, 1.0, 2.0, 16, 4, 3, 8.0, 1e-5)


def test_each_gradient_is_read_out_of_the_moments() -> None:
    parameter = torch.nn.Parameter(torch.zeros(5))
    optimizer = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.0, fused=True)
    before, generator = np.zeros(5), torch.Generator().manual_seed(0)
    for _ in range(3):
        gradient = torch.randn(5, generator=generator)
        parameter.grad = gradient.clone()
        optimizer.step()
        held = {"exp_avg.weight": optimizer.state[parameter]["exp_avg"].numpy().copy()}
        moments = first_moments(held, ["weight"])
        assert np.allclose(given(moments, before), gradient.numpy(), atol=1e-6)
        before = moments


def _tally(noise: float) -> Contributions:
    unused = cast("Any", None)
    return Contributions(unused, unused, unused, "site", print, plan=PLAN, noise=noise)


def test_coins_are_told_from_sums_of_contributions_that_are_much_alike() -> None:
    random = numpy_generator(0, "contributions")
    common = random.standard_normal(500)
    own = common + 0.2 * random.standard_normal((40, 500))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    coins = random.random(40) < 0.5
    tally = _tally(noise=0.0)
    tally._products, tally._along = own @ own.T, own @ (coins @ own - own.sum(axis=0) / 2)
    assert np.array_equal(tally.scores > 0, coins)


def test_a_larger_noise_is_believed_less() -> None:
    found = []
    for noise in (0.0, 1.0):
        tally = _tally(noise)
        tally._products, tally._along = np.eye(3), np.ones(3)
        found.append(tally.scores[0])
    assert found[0] > 0.99
    assert abs(found[1] - 1 / (1 + 4 * 2.0**2)) < 1e-3


def test_a_mark_counts_and_what_all_move_does_not() -> None:
    gradients = np.ones((8, 100), dtype=np.float16)
    gradients[3, 7] = 100.0
    moved = np.full(100, 0.5, dtype=np.float32)
    assert marked(gradients, moved).argmax() == 3
