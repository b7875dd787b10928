"""Lays two photographs upon each other by shift and stretch, and says how alike they are then.

Everything is done for many pairs at once, as products of small matrices: blurring and moving are both linear in
rows and columns. Alignment is Gauss-Newton on band-passed pictures of 32 x 32, comparison is at 64 x 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.check.features import SIDE

Floats = NDArray[np.float32]

_HALF = SIDE // 2
_STEPS = 6
_LIMITS = np.array([0.08, 1.5, 0.08, 1.5])  # stretch (a crop of 3 % a side is 6 %) and shift in pixels of 32
_CLIP = 2.0  # standard deviations: the bright optic disc must not decide alone


@dataclass(frozen=True, eq=False)
class Prepared:
    """What comparing n photographs needs.

    coarse, light: unit vectors (n, m): the structures without the shading, and all of it.
    band: (n, 32, 32), the structures, of unit spread. fine: (n, 64, 64), fine detail. whole: (n, 64, 64).
    """

    coarse: Floats
    light: Floats
    band: Floats
    fine: NDArray[np.float16]
    whole: NDArray[np.uint8]


def prepare(signatures: NDArray[np.uint8]) -> Prepared:
    """For signatures (n, 64, 64)."""
    count, inside, blocks_inside = len(signatures), _disc(_HALF, 0.44), _disc(SIDE // 4, 0.44)
    made = Prepared(
        coarse=np.empty((count, int(inside.sum())), np.float32),
        light=np.empty((count, int(blocks_inside.sum())), np.float32),
        band=np.empty((count, _HALF, _HALF), np.float32),
        fine=np.empty((count, SIDE, SIDE), np.float16),
        whole=signatures,
    )
    for start in range(0, count, 512):
        part = slice(start, start + 512)
        level = signatures[part].astype(np.float32)
        level /= level[:, _disc(SIDE, 0.44)].mean(axis=1)[:, None, None] + 5
        band = (_blurred(level, 1.5) - _blurred(level, 6.0))[:, ::2, ::2]
        blocks = level.reshape(-1, SIDE // 4, 4, SIDE // 4, 4).mean(axis=(2, 4))
        made.coarse[part] = _normal(band[:, inside])
        made.light[part] = _normal(blocks[:, blocks_inside])
        made.band[part] = band / (band[:, inside].std(axis=1)[:, None, None] + 1e-9)
        made.fine[part] = _blurred(level, 0.7) - _blurred(level, 4.0)
    return made


def likeness(prepared: Prepared, pairs: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Correlation of the fine detail and of the whole for pairs (n, 2), each (n,), after the second is aligned."""
    if not len(pairs):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    first, second = pairs[:, 0], pairs[:, 1]
    motion = _aligned(prepared.band[first], prepared.band[second])
    motion[:, 1::2] *= 2  # pixels of 64
    rows, columns = _moves(motion[:, 2:], SIDE), _moves(motion[:, :2], SIDE).transpose(0, 2, 1)
    values: list[Floats] = []
    for pictures, clip in ((prepared.fine, _CLIP), (prepared.whole, np.inf)):
        one, other = (np.asarray(pictures[places], np.float32) for places in (first, second))
        values.append(_correlation(one, np.asarray(rows @ other @ columns, np.float32), clip))
    return values[0], values[1]


def _aligned(target: Floats, moving: Floats) -> NDArray[np.floating[Any]]:
    """Stretch and shift across, stretch and shift down (n, 4) that bring `moving` onto `target`, both (n, 32, 32)."""
    count = len(target)
    motion = np.zeros((count, 4))
    inside = _disc(_HALF, 0.44).astype(np.float32)
    inside[[0, -1]] = inside[:, [0, -1]] = 0  # where there is no slope
    place = np.arange(_HALF, dtype=np.float32) - (_HALF - 1) / 2
    slopes = np.zeros((count, 4, _HALF, _HALF), np.float32)
    for _ in range(_STEPS):
        rows, columns = _moves(motion[:, 2:], _HALF), _moves(motion[:, :2], _HALF)
        moved = rows @ moving @ columns.transpose(0, 2, 1)
        slopes[:, 1, :, 1:-1] = moved[:, :, 2:] - moved[:, :, :-2]
        slopes[:, 3, 1:-1] = moved[:, 2:] - moved[:, :-2]
        slopes[:, 1::2] *= inside / 2
        slopes[:, 0], slopes[:, 2] = slopes[:, 1] * place, slopes[:, 3] * place[:, None]
        flat = slopes.reshape(count, 4, -1)
        normal = flat @ flat.transpose(0, 2, 1) + 1e-3 * np.eye(4, dtype=np.float32)
        left = flat @ (target - moved).reshape(count, -1, 1)
        motion = np.clip(motion + np.linalg.solve(normal, left)[..., 0], -_LIMITS, _LIMITS)
    return motion


def _moves(motion: NDArray[np.floating[Any]], side: int) -> Floats:
    """Matrices (n, side, side) that stretch about the centre and shift along one axis; motion: (n, 2)."""
    centre = (side - 1) / 2
    line = np.arange(side) - centre
    source = np.clip(line * (1 + motion[:, :1]) + centre + motion[:, 1:], 0, side - 1.001)
    below = source.astype(np.intp)
    above = (source - below).astype(np.float32)
    matrices = np.zeros((len(motion), side, side), np.float32)
    pair, place = np.ogrid[: len(motion), :side]
    matrices[pair, place, below] = 1 - above
    matrices[pair, place, below + 1] = above
    return matrices


def _correlation(one: Floats, other: Floats, clip: float) -> Floats:
    inside = np.flatnonzero(_disc(SIDE, 0.40))
    values = (np.take(pictures.reshape(len(pictures), -1), inside, axis=1) for pictures in (one, other))
    first, second = (_normal(each, clip) for each in values)
    return np.asarray(np.einsum("np,np->n", first, second))


def _normal(values: Floats, clip: float = np.inf) -> Floats:
    values = values - values.mean(axis=1, keepdims=True)
    if np.isfinite(clip):
        most = clip * values.std(axis=1, keepdims=True)
        values = np.clip(values, -most, most)
        values -= values.mean(axis=1, keepdims=True)
    return np.asarray(values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-9))


def _blurred(pictures: Floats, sigma: float) -> Floats:
    """Gaussian blur of (n, 64, 64); beyond the edges the pictures are mirrored."""
    line = np.arange(-SIDE, 2 * SIDE)
    weight = np.exp(-0.5 * ((line[None] - np.arange(SIDE)[:, None]) / sigma) ** 2)
    parts = np.split(weight / weight.sum(axis=1, keepdims=True), 3, axis=1)
    matrix = (parts[0][:, ::-1] + parts[1] + parts[2][:, ::-1]).astype(np.float32)
    return np.asarray(matrix @ pictures @ matrix.T, np.float32)


def _disc(side: int, radius: float) -> NDArray[np.bool_]:
    """The middle of side x side pixels; radius in sides."""
    line = (np.arange(side) + 0.5) / side - 0.5
    return np.asarray(line[:, None] ** 2 + line[None] ** 2 < radius**2)
