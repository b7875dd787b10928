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
_MOST = 2**20  # contributions whose cells fp64, which holds whole numbers up to 2**53, adds up exactly
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
        self._cells = torch.zeros(sum(self._sizes), dtype=torch.float64, device=self.params[0].device)
        self._recent = torch.zeros_like(self._cells)  # whole numbers that `_sum` does not have yet
        self.begin()
        self.zero_grad(set_to_none=True)

    def begin(self) -> None:
        """Forget what was contributed to the step."""
        self._sum = torch.zeros(sum(self._sizes), dtype=torch.int64, device=self.params[0].device)
        self._recent.zero_()
        self._count = 0

    def contribute(self) -> None:
        """Take the gradient that one backward pass left in the parameters, clip it, and add it to the sum."""
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.params]
        self.add(torch.cat([gradient.detach().flatten() for gradient in found]))
        self.zero_grad(set_to_none=True)

    def add(self, gradient: Tensor) -> None:
        """Clip one contribution (P,), the parameters' gradients one after the other, and add it to the sum."""
        self._recent += on_grid(gradient, self.max_grad_norm, self._cells)
        self._count += 1
        if self._count == _MOST:
            self._settle()

    def release(self, number: int) -> None:
        """Add noise and take the optimiser's step; number: of the step in the run. Done for an empty draw too."""
        for parameter in self.params:
            parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
        self._number = number
        self.step()
        self.begin()
        self.zero_grad(set_to_none=True)

    def clip_and_accumulate(self) -> None:
        """The sum of what was contributed, which is clipped already. Called by `step`."""
        self._settle()
        for parameter, part in zip(self.params, torch.split(self._sum, self._sizes), strict=True):
            parameter.summed_grad = part.view_as(parameter)

    def _settle(self) -> None:
        self._sum += self._recent.to(torch.int64)
        self._recent.zero_()
        self._count = 0

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


def on_grid(gradient: Tensor, clip: float, out: Tensor | None = None) -> Tensor:
    """A contribution (P,) clipped to a norm of `clip`, as whole numbers of norm at most GRID (which stands for it), in
    fp64, written to `out` where there is one.

    Rounding is towards zero, so that it cannot lengthen. A contribution that is not finite becomes zero: a patient
    whose data break the loss takes part in nothing.
    """
    exact = gradient.to(torch.float64, copy=True) if out is None else out.copy_(gradient)
    norm = float(torch.dot(exact, exact)) ** 0.5
    if not math.isfinite(norm):
        return exact.zero_()
    bound = clip * (1 - _MARGIN)
    return exact.mul_(GRID / clip * min(1.0, bound / norm if norm > 0 else 1.0)).trunc_()
