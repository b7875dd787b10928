"""A photograph searched for: the one whose gradient points where the observed update does (Geiping et al. 2020).

The search begins at the attacker's mean photograph, is told grades, note and form, and prefers pictures without noise
(total variation). An update by AdamW carries little more than the signs of a gradient, so that the candidate's gradient
is put through the same before it is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from shared_model.losses import Batch
from simulations.audit.attacker import Attacker
from simulations.audit.exposures import Exposure, gradient_of

RATE, SMOOTH = 0.03, 2e-3  # of the search's steps, in standard deviations; of total variation
_SOFT = 0.3  # below this share of a tensor's mean gradient a sign counts for less


@dataclass(frozen=True)
class Range:
    """mean, std (1, 3, 1, 1): of the standardisation, which say where black and white lie."""

    mean: Tensor
    std: Tensor

    def clamp(self, image: Tensor) -> Tensor:
        """A standardised photograph within what a photograph can be."""
        return ((image * self.std + self.mean).clamp(0, 1) - self.mean) / self.std

    def shown(self, image: Tensor) -> Tensor:
        """In [0, 1]."""
        return (image * self.std + self.mean).clamp(0, 1)


def photograph(
    attacker: Attacker,
    exposure: Exposure,
    known: Batch,
    start: Tensor,
    limits: Range,
    steps: int,
    on_step: Callable[[int], None],
) -> Tensor:
    """The standardised photograph (1, 3, S, S) found after `steps` steps from `start`.

    known: the target's batch, whose photograph is not read. start: the same shape.
    """
    attacker.take(exposure.base)
    observed = {name: part for name, part in exposure.moved.items() if bool(part.any())}
    signs = exposure.kind != "gradient"
    image = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=RATE / 20)
    with sdpa_kernel(SDPBackend.MATH):  # the only one that can be differentiated twice
        for step in range(steps):
            optimizer.zero_grad()
            own = gradient_of(attacker, replace(known, image=image), create_graph=True)
            loss = _distance(own, observed, signs) + SMOOTH * variation(image)
            (gradient,) = torch.autograd.grad(loss, [image])
            image.grad = gradient.sign()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                image.copy_(limits.clamp(image))
            on_step(step + 1)
    return image.detach()


def _distance(own: dict[str, Tensor], observed: dict[str, Tensor], signs: bool) -> Tensor:
    """One minus the cosine between the candidate's gradient and what was seen, over all tensors as one vector."""
    along, length, seen = (torch.zeros(()) for _ in range(3))
    for name, target in observed.items():
        part = own[name]
        if signs:
            part = part / (part.abs() + _SOFT * part.detach().abs().mean() + 1e-12)
        along = along + (part * target).sum()
        length = length + part.square().sum()
        seen = seen + target.square().sum()
    return 1 - along / (length.sqrt() * seen.sqrt() + 1e-12)


def variation(image: Tensor) -> Tensor:
    """Mean difference of neighbouring pixels: small for a photograph, large for noise."""
    return (image[..., 1:, :] - image[..., :-1, :]).abs().mean() + (
        image[..., 1:] - image[..., :-1]
    ).abs().mean()
