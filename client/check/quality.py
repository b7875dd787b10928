"""Photographs that a person should look at: blank, too dark, or not of a retina. Judgements, never certainties.

They rest on what every colour fundus photograph has because of how it is made: the red-orange of a lit retina, a
round stop that ends the light sharply, shading that is smooth, and over it the disc and the vessels. The
thresholds stand in gaps between 516 photographs of one clinic, the drawn cameras and pictures of other things;
they were chosen on these, and `fedfundus-simulate check-accuracy` says what they find in pictures that were not
looked at (three in four). Photographs without colour (red-free, scans)
are called "not a fundus", since the model is made for colour; nothing is ever removed for a judgement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from client.check.features import SIDE
from client.check.measurement import Measurement

Kind = Literal["blank", "dark", "not_fundus"]
Floats = NDArray[np.float64]

# Levels of 255. Below 12 (0.4 % of full light) there is little but the sensor's own noise. The dimmest of the real
# photographs has 64 and one in a hundred less than 80; 60 is three stops below the ordinary 160.
NO_LIGHT = 12.0
DARK = 60.0
# Percent of the brightness that is left in blocks of 4 x 4 when the shading (a quadratic) is taken out: retinas
# 3.8 and more, an evenly lit wall, noise included, 0.3 at most, random pixels and skin mostly below 2.5.
BLANK_STRUCTURE = 1.0
LEAST_STRUCTURE = 2.5
BLANK_SHADING = 0.4  # of the brightness, from end to end: a wall is lit more evenly than that
# Retinas: red over green 1.24 and more (one in a hundred below 1.48), red over blue 1.97, red > green > blue in
# 87 % of pixels. Wide margins, since cameras and coats differ; grey has 1.0, 1.0 and none.
RED_OVER_GREEN = 1.12
RED_OVER_BLUE = 1.3
WARM = 0.6
# Without a dark border the shape says nothing, and skin and wood have red over green up to 1.65.
BORDERLESS = 0.95  # lit share of the field of view; round fields have 0.78 to 0.90
BORDERLESS_RED_OVER_GREEN = 1.7
BORDERLESS_RED_OVER_BLUE = 2.2
ROUND = 0.88  # overlap with the best circle: photographs 0.95 and more, faces and fans mostly 0.83 or less
RIM = (
    0.12  # darkest eighth of the rim over the centre: photographs 0.15 and more, a ball lit from a side 0.09
)
# Percent of local contrast: retinas 1.2 (badly focused) to 9, a smooth ball 0.7, an even wall with a sensor's grain up
# to 1, thin lines on paper and mere noise 2 to 9, text, leaves and scans 10 to 50.
SMOOTH = 0.9
BLANK_ROUGHNESS = 2.0
ROUGH = 14.0


@dataclass(frozen=True)
class Judgement:
    """What a photograph seems to be, and why; the reason holds no value of the photograph."""

    kind: Kind
    why: str


def judge(measurement: Measurement) -> Judgement | None:
    """The judgement of one photograph that could be read; None where nothing speaks against it.

    Only the first that applies is given: of a dark picture the colours tell nothing.
    """
    if measurement.problem:
        return None
    pixels = _pixels(measurement)
    if _blank(measurement, pixels):
        return Judgement("blank", "nothing is to be seen but light and shade")
    if measurement.brightness < DARK and _level(pixels, 0.98) < DARK:
        return Judgement("dark", "too little light: three stops or more below an ordinary exposure")
    if why := _strangeness(measurement, pixels):
        return Judgement("not_fundus", why)
    return None


def _blank(measurement: Measurement, pixels: Floats) -> bool:
    if measurement.brightness < NO_LIGHT:
        return True
    shading = (_level(pixels, 0.98) - _level(pixels, 0.02)) / max(1.0, float(pixels.mean()))
    return (
        shading < BLANK_SHADING
        and _structure(pixels) < BLANK_STRUCTURE
        and _roughness(pixels) < BLANK_ROUGHNESS
    )


def _strangeness(measurement: Measurement, pixels: Floats) -> str:
    """Why it does not look like a colour photograph of a retina, "" where it does."""
    over_green = measurement.red / (measurement.green + 1)
    over_blue = measurement.red / (measurement.blue + 1)
    if measurement.warm < WARM or over_green < RED_OVER_GREEN or over_blue < RED_OVER_BLUE:
        return "the colours are not those of a retina"
    roughness = _roughness(pixels)
    if _structure(pixels) < LEAST_STRUCTURE or roughness < SMOOTH:
        return "neither a disc nor vessels are to be seen"
    if roughness > ROUGH:
        return "the brightness is not smooth"
    if measurement.lit <= BORDERLESS:
        return _strange_border(measurement, pixels)
    if over_green < BORDERLESS_RED_OVER_GREEN or over_blue < BORDERLESS_RED_OVER_BLUE:
        return "there is no dark border, and the colours are not certainly those of a retina"
    return ""


def _strange_border(measurement: Measurement, pixels: Floats) -> str:
    shape = _shape(round(min(max(measurement.aspect, 0.2), 5.0), 2))
    if _roundness(pixels, shape) < ROUND:
        return "the field of view is not round"
    if _rim(pixels, shape) < RIM:
        return "the light fades towards the rim"
    return ""


def _pixels(measurement: Measurement) -> Floats:
    return np.frombuffer(measurement.signature, np.uint8).reshape(SIDE, SIDE).astype(np.float64)


def _level(pixels: Floats, share: float) -> float:
    """The level below which `share` of the pixels lie."""
    place = int(share * (pixels.size - 1))
    return float(np.partition(pixels, place, axis=None)[place])


def _structure(pixels: Floats) -> float:
    inside, project = _without_shading()
    blocks = pixels.reshape(SIDE // 4, 4, SIDE // 4, 4).mean(axis=(1, 3))[inside]
    return 100 * float((project @ blocks).std()) / (float(blocks.mean()) + 1)


def _roughness(pixels: Floats) -> float:
    """Spread of the difference of each pixel and the mean of the 5 x 5 around it, in percent of the mean."""
    total = np.pad(pixels.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    around = (total[5:, 5:] - total[:-5, 5:] - total[5:, :-5] + total[:-5, :-5]) / 25
    inside, inner = _middle(), pixels[2:-2, 2:-2]
    return 100 * float((inner - around)[inside].std()) / (float(inner[inside].mean()) + 5)


def _roundness(pixels: Floats, shape: _Shape) -> float:
    """Overlap of what is lit with the best circle about the centre, possibly cut by the picture's edges."""
    lit = (pixels > max(6.0, 0.1 * _level(pixels, 0.95))).ravel()
    both = shape.circles @ lit.astype(np.float32)
    return float((both / (shape.circles.sum(axis=1) + lit.sum() - both)).max())


def _rim(pixels: Floats, shape: _Shape) -> float:
    """Brightness of the darkest eighth of the rim over that of the centre."""
    flat = pixels.ravel()
    darkest = min(float(np.median(flat[part])) for part in shape.rim)
    return darkest / (float(np.median(flat[shape.centre])) + 1)


@dataclass(frozen=True, eq=False)
class _Shape:
    """Parts of a field of view of one aspect, as places in its flattened signature."""

    circles: NDArray[np.float32]  # (12, SIDE * SIDE), 1 inside; the smallest touches the longer sides
    centre: NDArray[np.intp]
    rim: tuple[NDArray[np.intp], ...]


def _grid(side: int) -> tuple[Floats, Floats]:
    """x and y of the centres of side x side pixels, -0.5 to 0.5."""
    line = (np.arange(side) + 0.5) / side - 0.5
    x, y = np.meshgrid(line, line)
    return x, y


@lru_cache(maxsize=64)
def _shape(aspect: float) -> _Shape:
    x, y = _grid(SIDE)
    x, y = x * 2 * min(1.0, aspect), y * 2 * min(1.0, 1 / aspect)  # 1 is half the longer side
    radius, eighth = np.hypot(x, y).ravel(), (np.arctan2(y, x) * (4 / np.pi) + 4).astype(int).ravel() % 8
    rim = (radius > 0.8) & (radius < 0.93)
    parts = (np.flatnonzero(rim & (eighth == k)) for k in range(8))
    return _Shape(
        circles=(radius < np.linspace(0.97, 1.3, 12)[:, None]).astype(np.float32),
        centre=np.flatnonzero(radius < 0.5),
        rim=tuple(part for part in parts if len(part) > 6),  # what the picture's edge cuts off has none
    )


@cache
def _without_shading() -> tuple[NDArray[np.bool_], Floats]:
    """The blocks well inside the field, and the projection that takes a quadratic surface out of them."""
    x, y = _grid(SIDE // 4)
    inside = x**2 + y**2 < 0.4**2
    surface = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)[inside]
    return inside, np.eye(len(surface)) - surface @ np.linalg.pinv(surface)


@cache
def _middle() -> NDArray[np.bool_]:
    x, y = _grid(SIDE)
    return np.asarray((x**2 + y**2 < 0.4**2)[2:-2, 2:-2])
