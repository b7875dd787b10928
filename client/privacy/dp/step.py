"""One private step: every contribution clipped, their exact sum noised, then the optimiser.

Opacus's DPOptimizer leads through a step: clip and add up, noise, divide, optimise. What is ours is the arithmetic of
the first two: contributions are clipped and rounded towards zero onto a grid, and added up as integers. So the sum
does not depend on the order of patients, one patient moves it by the clipping norm and not a rounding error more, and
a noised sum takes the same values whoever is in it. Floating-point sums promise none of this (Mironov 2012;
Casacuberta et al. 2022).
"""

from __future__ import annotations

import math

import torch
from opacus.optimizers import DPOptimizer
from torch import Tensor
from torch.optim import Optimizer

from client.privacy.dp.plan import Plan
from client.privacy.dp.randomness import Randomness

GRID = 2**30  # cells in one clipping norm: finer than fp32 holds a gradient, and room for 2**33 contributions
_MARGIN = 1e-9  # of the clipping norm, for the rounding of its own measurement


class PrivateOptimizer(DPOptimizer):  # type: ignore[misc]
    """`contribute` once a unit, then `release` once a step; `optimizer` holds all that is trained.

    Opacus's `secure_mode` draws four Gaussians for one, to hide the floating-point numbers behind it; here there
    are none to hide, as noise is rounded onto the grid, and the flag only says where the draws come from.
    """

    def __init__(self, optimizer: Optimizer, plan: Plan, randomness: Randomness) -> None:
        super().__init__(
            optimizer,
            noise_multiplier=plan.noise_multiplier * plan.sensitivity / plan.clip,
            max_grad_norm=plan.clip,
            expected_batch_size=None,
            loss_reduction="sum",
            secure_mode=randomness.private,
        )
        self._normaliser = plan.normaliser
        self._randomness = randomness
        self._number = 0
        self._sizes = [parameter.numel() for parameter in self.params]
        self._sum = self._nothing()
        self.zero_grad(set_to_none=True)

    def contribute(self) -> None:
        """Take the gradient that one backward pass left in the parameters, clip it, and add it to the sum."""
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.params]
        self.add(torch.cat([gradient.detach().flatten() for gradient in found]))
        self.zero_grad(set_to_none=True)

    def add(self, gradient: Tensor) -> None:
        """Clip one contribution (P,), the parameters' gradients one after the other, and add it to the sum."""
        self._sum += on_grid(gradient, self.max_grad_norm)

    def release(self, number: int) -> None:
        """Add noise and take the optimiser's step; number: of the step in the run. Done for an empty draw too."""
        for parameter in self.params:
            parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
        self._number = number
        self.step()
        self._sum = self._nothing()
        self.zero_grad(set_to_none=True)

    def clip_and_accumulate(self) -> None:
        """The sum of what was contributed, which is clipped already. Called by `step`."""
        for parameter, part in zip(self.params, torch.split(self._sum, self._sizes), strict=True):
            parameter.summed_grad = part.view_as(parameter)

    def _nothing(self) -> Tensor:
        return torch.zeros(sum(self._sizes), dtype=torch.int64, device=self.params[0].device)

    def add_noise(self) -> None:
        """Noise of `noise_multiplier` clipping norms on the integer sum, and back to numbers. Called by `step`."""
        for part, parameter in enumerate(self.params):
            total: Tensor = parameter.summed_grad
            noise = self._randomness.normal(self._number, part, parameter.numel()).mul_(
                self.noise_multiplier * GRID
            )
            noised = total + noise.round_().to(torch.int64).view_as(parameter).to(total.device)
            parameter.grad = noised.double().mul_(self.max_grad_norm / GRID).to(parameter.dtype)

    def scale_grad(self) -> None:
        """Divide by the registered constant. Called by `step`."""
        for parameter in self.params:
            if parameter.grad is not None:
                parameter.grad /= self._normaliser


def on_grid(gradient: Tensor, clip: float) -> Tensor:
    """A contribution (P,) clipped to a norm of `clip`, as integers of norm at most GRID (which stands for it), int64.

    Rounding is towards zero, so that it cannot lengthen. A contribution that is not finite becomes zero: a patient
    whose data break the loss takes part in nothing.
    """
    exact = gradient.double()
    norm = float(torch.linalg.vector_norm(exact))
    if not math.isfinite(norm):
        return torch.zeros_like(gradient, dtype=torch.int64)
    bound = clip * (1 - _MARGIN)
    # Conversion to integers cuts off what is behind the point.
    return exact.mul_(GRID / clip * min(1.0, bound / norm if norm > 0 else 1.0)).to(torch.int64)
