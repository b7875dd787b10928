"""fp32 tensors in a quarter of the bytes: whole steps from -127 to 127, and one step size (scale) a channel.

A channel is an index of the first axis (an output of a linear layer or convolution); vectors and single numbers are
one channel. With stochastic rounding a number lands on one of its two neighbouring steps with the odds that make
it right on average (QSGD, Alistarh et al. 2017), at most one step off; to the nearest it is at most half a step
off, but always in the same direction for the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 127  # -128 is never sent: the steps are symmetric, and a byte that says so is damaged
SMALLEST_SCALE = np.float32(2.0**-126)  # below it fp32 is subnormal, and dividing by it is not exact


def channels(shape: tuple[int, ...]) -> int:
    """How many scales a tensor of this shape has."""
    return shape[0] if len(shape) > 1 else 1


def quantise(
    array: NDArray[np.float32], random: np.random.Generator | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Steps of the array's shape, and the scales (channels,). random: rounds stochastically; None, to the nearest.

    The array must be finite. A channel of zeros has scale 0.
    """
    rows = _rows(array)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, np.maximum(largest / np.float32(STEPS), SMALLEST_SCALE), np.float32(0))
    divisor = np.where(scale > 0, scale, np.float32(1))  # a channel of zeros stays zero
    steps = rows / divisor[:, None]
    if random is None:
        np.rint(steps, out=steps)
    else:
        steps += random.random(steps.shape, dtype=np.float32)
        np.floor(steps, out=steps)
    np.clip(steps, -STEPS, STEPS, out=steps)  # the division may end an ulp beyond the last step
    return steps.astype(np.int8).reshape(array.shape), scale.astype(np.float32)


def dequantise(steps: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """steps times their channel's scale, fp32; infinite where that is beyond fp32."""
    with np.errstate(over="ignore"):
        rows = _rows(steps).astype(np.float32) * scale[:, None]
    return np.asarray(rows.reshape(steps.shape), dtype=np.float32)


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    """One row a channel, also of a tensor without elements."""
    count = channels(array.shape)
    return array.reshape(count, array.size // count if count else 0)
