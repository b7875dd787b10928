"""A photograph behind a convolutional stem: the map that the stem's last layer reads is found in closed form, then a
photograph that the stem turns into it is searched for.

That is far less than a search through the whole model: the map is known exactly, and the stem alone is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from simulations.audit.attacker import Attacker
from simulations.audit.closed_form import PATCHES, POSITIONS, inputs
from simulations.audit.exposures import Exposure
from simulations.audit.search import Range, variation

STEPS, RATE, SMOOTH = 600, 0.03, 3e-3


def photograph(
    attacker: Attacker, exposure: Exposure, mean: Tensor, limits: Range, trust: float
) -> Tensor | None:
    """The standardised photograph (1, 3, S, S) found from one patient's gradient; `mean` is where the search begins.

    None where the image encoder has no convolutional stem, or its last layer does not travel.
    """
    attacker.take(exposure.base)
    encoder = attacker.objective.model.image_encoder
    if encoder is None or not encoder.convolutional:
        return None
    layers = list(cast(nn.Sequential, cast(Any, encoder.vit.patch_embed).proj))
    stem = nn.Sequential(*layers[:-1])
    weight = exposure.moved.get(f"{PATCHES}.{len(layers) - 1}.weight")
    if weight is None:
        return None
    with torch.no_grad():
        usual = stem(mean)  # (1, channels, S/16, S/16)
    flat = usual.flatten(2)[0].T
    found = inputs(weight, exposure.moved.get(POSITIONS), flat, trust)
    return None if found is None else _search(stem, found.T.reshape(usual.shape), mean, limits)


def _search(stem: Callable[[Tensor], Tensor], wanted: Tensor, start: Tensor, limits: Range) -> Tensor:
    image = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=RATE / 20)
    scale = wanted.square().mean()
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (stem(image) - wanted).square().mean() / scale + SMOOTH * variation(image)
        (image.grad,) = torch.autograd.grad(loss, [image])
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            image.copy_(limits.clamp(image))
    return image.detach()
