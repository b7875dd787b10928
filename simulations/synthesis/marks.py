"""Shapes on the retina: polygons in the coordinates of anatomy.py, each on the layer that gives its colour.

Lesions and findings are made of the same few shapes, drawn once per eye, so that every photograph of that eye
shows the same ones. Shapes come in groups, because a severe eye has a hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from simulations.synthesis.anatomy import Points
from simulations.synthesis.labels import Generator
from simulations.synthesis.rates import Floats

# blood: red, nearly sharp; haze: blood out of focus; fine: thin red vessels; exudate: yellow, sharp;
# fluff: white with soft edges; pale: scars and atrophy; drusen: pale yellow; pigment: brown-black;
# swelling: a grey veil.
Layer = Literal["blood", "haze", "fine", "exudate", "fluff", "pale", "drusen", "pigment", "swelling"]

CORNERS = np.linspace(0, 2 * np.pi, 14, endpoint=False)
WAVES = np.array([2, 3, 5])  # of a blob's outline


@dataclass(frozen=True)
class Marks:
    """Shapes on one layer: filled polygons, or lines where width > 0, of strengths in (0, 1]."""

    layer: Layer
    shapes: Points  # (n, corners, 2)
    strength: Floats  # (n,)
    width: float = 0.0


def blobs(
    layer: Layer,
    at: Points,
    radius: ArrayLike,
    rng: Generator,
    *,
    strength: ArrayLike = 1.0,
    roughness: float = 0.15,
    stretch: ArrayLike = 1.0,
    angle: ArrayLike = 0.0,
) -> Marks:
    """Irregular round or oval patches at (n, 2) places; `stretch` is length over breadth, along `angle`."""
    n = len(at)
    size, long, turn, weight = (
        np.broadcast_to(np.asarray(v, float), (n,)) for v in (radius, stretch, angle, strength)
    )
    phase = rng.uniform(0, 2 * np.pi, (n, len(WAVES), 1))
    outline = 1 + roughness * np.cos(WAVES[:, None] * CORNERS + phase).sum(axis=1)  # (n, corners)
    x = (size * long)[:, None] * outline * np.cos(CORNERS)
    y = size[:, None] * outline * np.sin(CORNERS)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    return Marks(layer, at[:, None] + np.stack([c * x - s * y, s * x + c * y], axis=-1), weight)


def scatter(rng: Generator, count: int, at: Points, spread: float) -> Points:
    """Places around one point, (count, 2)."""
    return np.asarray(at + rng.normal(0, spread, (count, 2)))


def ring(rng: Generator, count: int, at: Points, radius: float, thickness: float) -> Points:
    """Places around a circle, (count, 2)."""
    angle = rng.uniform(0, 2 * np.pi, count)
    distance = radius + rng.normal(0, thickness, count)
    return np.asarray(at + distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def tangles(at: Points, size: float, rng: Generator, *, loops: int, strength: float = 1.0) -> Marks:
    """Knots of looping fine vessels, as new vessels grow, at (n, 2) places."""
    roots = np.repeat(at, loops, axis=0)
    n = len(roots)
    heading = rng.uniform(0, 2 * np.pi, (n, 1)) + np.cumsum(rng.normal(0.25, 0.55, (n, 16)), axis=1)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * size * 0.2
    start = (roots + rng.normal(0, size * 0.35, (n, 2)))[:, None]
    return Marks("fine", start + np.cumsum(steps, axis=1), np.full(n, strength), 0.0042)
