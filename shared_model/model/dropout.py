"""Dropout that draws its mask four elements to a 64-bit number, where PyTorch on a CPU draws each one apart.

The probability is rounded to a multiple of 2**-16; everything random still follows from PyTorch's generator, which
seeds each mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_BITS = 16
_LOWEST = -(2 ** (_BITS - 1))
_SMALL = 1 << 14  # elements below which seeding a generator costs more than it saves


def dropout(x: Tensor, probability: float, *, training: bool) -> Tensor:
    """`x` with elements zeroed with `probability`, the others scaled up to keep the mean (F.dropout)."""
    if not training or probability == 0.0:
        return x
    if x.device.type != "cpu" or x.numel() < _SMALL or probability == 1.0:
        return F.dropout(x, probability, training=True)
    dropped: Tensor = _Dropout.apply(x, probability)
    return dropped


def keep_mask(shape: torch.Size, probability: float) -> Tensor:
    """True where an element is kept; seeded by one draw of PyTorch's CPU generator."""
    seed = int(torch.randint(2**62, ()))
    count = shape.numel()
    numbers = np.random.Generator(np.random.SFC64(seed)).integers(
        0, 2**64, size=-(-count * _BITS // 64), dtype=np.uint64
    )
    values = torch.from_numpy(numbers.view(np.int16))[:count].view(shape)
    keep: Tensor = values >= _LOWEST + round(probability * 2**_BITS)
    return keep


class _Dropout(torch.autograd.Function):
    """Keeps a mask of one byte an element for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float) -> Tensor:
        """x (any shape) to the same shape."""
        keep = keep_mask(x.shape, probability)
        ctx.save_for_backward(keep)
        ctx.scale = 1.0 / (1.0 - probability)
        return keep.to(x.dtype).mul_(ctx.scale).mul_(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of `x`."""
        (gradient,) = gradients
        (keep,) = ctx.saved_tensors
        return keep.to(gradient.dtype).mul_(ctx.scale).mul_(gradient), None
