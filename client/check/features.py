"""What is kept of one photograph for the judgements: its field of view at 64 x 64, and its colours.

Computed in the worker processes from a picture that is decoded anyway, at a fraction of a millisecond; the
judgements themselves (quality.py, duplicates.py) are made later from these numbers, so that another threshold
asks for no second reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # of the signature, pixels
LEAST = 48  # pixels of the shorter side that are enough for it

_SOFT = Image.Resampling.BILINEAR


@dataclass(frozen=True)
class Features:
    """The numbers of one photograph. Levels are 0 to 255, shares 0 to 1.

    field: left, upper, right and lower edge of the field of view as shares of the sides.
    aspect: its width over its height.
    lit: share of the field of view that is brighter than a tenth of the photograph's own brightness.
    red, green, blue: means over what is lit. warm: share of it where red > green > blue, as in every retina.
    signature: brightness of the field of view, SIDE x SIDE bytes, row by row, the sides stretched alike.
    """

    field: tuple[float, float, float, float]
    aspect: float
    lit: float
    red: float
    green: float
    blue: float
    warm: float
    signature: bytes


def features(picture: Image.Image) -> Features:
    """Features of an RGB picture of any size."""
    width, height = picture.size
    step = max(1, max(width, height) // SIDE)
    small = np.asarray(picture.reduce(step) if step > 1 else picture)
    tall, wide = small.shape[:2]
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    level = np.maximum(np.maximum(red, green), blue)
    left, upper, right, lower = _field(level)
    shares = (left / wide, upper / tall, right / wide, lower / tall)
    box = (shares[0] * width, shares[1] * height, shares[2] * width, shares[3] * height)
    inside = np.zeros((tall, wide), bool)
    inside[upper:lower, left:right] = True
    lit = inside & (level > max(10, int(level.max()) // 10))
    count = max(1, int(np.count_nonzero(lit)))
    means = (lit.ravel().astype(np.float32) @ small.reshape(-1, 3).astype(np.float32) / count).tolist()
    luma = picture.convert("L").resize((SIDE, SIDE), _SOFT, box, reducing_gap=2.0)
    return Features(
        field=shares,
        aspect=(box[2] - box[0]) / (box[3] - box[1]),
        lit=count / ((right - left) * (lower - upper)),
        red=means[0],
        green=means[1],
        blue=means[2],
        warm=int(np.count_nonzero((red > green) & (green >= blue) & lit)) / count,
        signature=luma.tobytes(),
    )


def _field(level: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """As client.data.pipeline.field_of_view, from the brightest channel (H, W) and quicker on so small a picture."""
    tall, wide = level.shape
    place = int(0.95 * (level.size - 1))
    threshold = max(10.0, 0.1 * float(np.partition(level.ravel(), place)[place]))
    lit = level > threshold
    rows = np.flatnonzero(np.count_nonzero(lit, axis=1) > 0.02 * wide).tolist()
    columns = np.flatnonzero(np.count_nonzero(lit, axis=0) > 0.02 * tall).tolist()
    if not rows or not columns:
        return 0, 0, wide, tall
    left, upper, right, lower = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    if right - left < 0.3 * wide or lower - upper < 0.3 * tall:
        return 0, 0, wide, tall
    return left, upper, right, lower
