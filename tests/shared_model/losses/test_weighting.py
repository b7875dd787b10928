from __future__ import annotations

import math

import pytest
import torch

from shared_model.config.schema import LOSS_NAMES, FixedWeights, LossConfig
from shared_model.losses import LossWeighting

LOSSES = {name: torch.tensor(float(i + 1)) for i, name in enumerate(LOSS_NAMES)}


def test_softmax_weights_start_equal_and_sum_to_one() -> None:
    weighting = LossWeighting(LossConfig(weighting="softmax"))
    assert [float(w.detach()) for w in weighting.weights().values()] == pytest.approx([1 / 6] * 6)
    assert float(weighting(LOSSES).detach()) == pytest.approx(21 / 6)


def test_softmax_weights_descend_towards_the_smallest_loss() -> None:
    weighting = LossWeighting(LossConfig(weighting="softmax"))
    with torch.no_grad():
        weighting.alpha.copy_(torch.tensor([0.3, -0.2, 0.0, 1.0, 0.5, -1.0]))
    weights = torch.stack(list(weighting.weights().values())).detach()
    total = weighting(LOSSES)
    total.backward()
    losses = torch.stack(list(LOSSES.values()))
    assert torch.allclose(weighting.alpha.grad, weights * (losses - total.detach()), atol=1e-6)


@pytest.mark.parametrize("alpha", [[0.0] * 6, [50.0, 0, 0, 0, 0, -50.0]])
def test_a_floor_keeps_every_softmax_weight_above_it(alpha: list[float]) -> None:
    weighting = LossWeighting(LossConfig(weighting="softmax", floor=0.1))
    with torch.no_grad():
        weighting.alpha.copy_(torch.tensor(alpha))
    weights = [float(w) for w in weighting.weights().values()]
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0.1 - 1e-6
    assert max(weights) <= 0.5 + 1e-6


def test_uncertainty_is_kendalls_formula_over_the_losses_that_are_there() -> None:
    weighting = LossWeighting(LossConfig(weighting="uncertainty"))
    alpha = [0.5, -1.0, 0.0, 2.0, 0.3, -0.7]
    with torch.no_grad():
        weighting.alpha.copy_(torch.tensor(alpha))
    some = {name: LOSSES[name] for name in ("image_text", "grading")}
    expected = math.exp(-0.5) * 1 + 0.5 / 2 + math.exp(0.7) * 6 - 0.7 / 2
    total = weighting(some)
    assert float(total) == pytest.approx(expected, rel=1e-6)
    total.backward()
    assert (weighting.alpha.grad != 0).tolist() == [True, False, False, False, False, True]


def test_fixed_weights_are_used_as_given_and_have_nothing_to_learn() -> None:
    weighting = LossWeighting(LossConfig(weighting="fixed", fixed=FixedWeights(image_text=0.5, grading=2.0)))
    assert not list(weighting.parameters())
    some = {name: LOSSES[name] for name in ("image_text", "grading")}
    assert float(weighting(some)) == 0.5 * 1 + 2.0 * 6
