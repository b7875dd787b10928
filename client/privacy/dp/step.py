"""One private step: every contribution clipped, their exact sum noised, then the optimiser.

Opacus's DPOptimizer clips, adds noise and divides. What is ours is the arithmetic between: contributions are
rounded towards zero onto a grid and added up as integers. So the sum does not depend on the order of patients, one
patient moves it by the clipping norm and not a rounding error more, and a noised sum takes the same values whoever
is in it. Floating-point sums promise none of this (Mironov 2012; Casacuberta et al. 2022).
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
        self._sum = torch.zeros(0, dtype=torch.int64)
        self.zero_grad(set_to_none=True)

    def contribute(self) -> None:
        """Take the gradient that one backward pass left in the parameters, clip it, and add it to the sum."""
        for parameter in self.params:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad_sample = gradient.detach().unsqueeze(0)
        self.signal_skip_step(True)
        self.step()
        self.zero_grad(set_to_none=True)

    def release(self, number: int) -> None:
        """Add noise and take the optimiser's step; number: of the step in the run. Done for an empty draw too."""
        for parameter in self.params:
            parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
        self._number = number
        self.signal_skip_step(False)
        self.step()
        self.zero_grad(set_to_none=True)

    def clip_and_accumulate(self) -> None:
        """Opacus's clipping of the one contribution at hand; the sum is ours. Called by `step`."""
        begun = self.params[0].summed_grad is not None
        for parameter in self.params:
            parameter.summed_grad = None
        super().clip_and_accumulate()
        # As one vector: a model has hundreds of tensors, and a step hundreds of contributions.
        own = on_grid(
            torch.cat([parameter.summed_grad.flatten() for parameter in self.params]), self.max_grad_norm
        )
        self._sum = self._sum.add_(own) if begun else own
        parts = torch.split(self._sum, [parameter.numel() for parameter in self.params])
        for parameter, part in zip(self.params, parts, strict=True):
            parameter.summed_grad = part.view_as(parameter)

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


def on_grid(clipped: Tensor, clip: float) -> Tensor:
    """A contribution (P,), clipped in fp32, as integers of norm at most GRID (which stands for `clip`), int64.

    Rounding is towards zero, so that it cannot lengthen. A contribution that is not finite becomes zero: a patient
    whose data break the loss takes part in nothing.
    """
    exact = clipped.double()
    norm = float(torch.linalg.vector_norm(exact))
    if not math.isfinite(norm):
        return torch.zeros_like(clipped, dtype=torch.int64)
    bound = clip * (1 - _MARGIN)
    return exact.mul_(GRID / clip * min(1.0, bound / norm if norm > 0 else 1.0)).trunc_().to(torch.int64)
