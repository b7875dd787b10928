"""What is kept of one photograph for the judgements: its field of view at 64 x 64, and its colours.

Computed in the worker processes from a picture that is decoded anyway, at a fraction of a millisecond; the
judgements themselves (quality.py, duplicates.py) are made later from these numbers, so that another threshold
asks for no second reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # of the signature, pixels
LEAST = 48  # pixels of the shorter side that are enough for it

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


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
    step = max(1, max(picture.size) // SIDE)
    small = picture.reduce(step) if step > 1 else picture
    wide, tall = small.size
    planes = np.frombuffer(small.tobytes(), np.uint8).reshape(-1, 3).T.copy()  # (3, tall * wide), red first
    level = planes.max(axis=0)
    lit = level > max(10, int(level.max()) // 10)
    left, upper, right, lower = _field(lit.reshape(tall, wide))
    count = max(1, int(np.count_nonzero(lit)))
    colours = planes.astype(np.float32)
    means = (colours @ lit.astype(np.float32) / count).tolist()
    warm = (planes[0] > planes[1]) & (planes[1] >= planes[2]) & lit
    luma = (_LUMA @ colours).reshape(tall, wide)
    signature = _towards(tall, upper, lower) @ luma @ _towards(wide, left, right).T
    return Features(
        field=(left / wide, upper / tall, right / wide, lower / tall),
        aspect=(right - left) / (lower - upper),
        lit=min(1.0, count / ((right - left) * (lower - upper))),
        red=means[0],
        green=means[1],
        blue=means[2],
        warm=int(np.count_nonzero(warm)) / count,
        signature=(signature + np.float32(0.5)).astype(np.uint8).tobytes(),
    )


def _field(lit: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """As client.data.pipeline.field_of_view, from what is lit (H, W) and quicker on so small a picture."""
    tall, wide = lit.shape
    rows = (lit.sum(axis=1) > 0.02 * wide).nonzero()[0]
    columns = (lit.sum(axis=0) > 0.02 * tall).nonzero()[0]
    if not len(rows) or not len(columns):
        return 0, 0, wide, tall
    left, upper, right, lower = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    if right - left < 0.3 * wide or lower - upper < 0.3 * tall:
        return 0, 0, wide, tall
    return left, upper, right, lower


@lru_cache(maxsize=512)
def _towards(length: int, start: int, end: int) -> NDArray[np.float32]:
    """The matrix (SIDE, length) that brings pixels start to end of a line to SIDE pixels, as Pillow's BILINEAR does.

    A triangle about each new pixel's place, wider where there are more old pixels than new ones. Few cameras
    and sizes make few matrices.
    """
    scale = (end - start) / SIDE
    place = start + (np.arange(SIDE) + 0.5) * scale
    inside = np.arange(length) + 0.5
    away = np.abs(inside[None] - place[:, None]) / max(1.0, scale)
    weight = np.maximum(0, 1 - away) * ((inside > start) & (inside < end))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), np.float32)
