"""Shapes on the retina: polygons in the coordinates of anatomy.py, each on the layer that gives its colour.

Lesions and findings are made of the same few shapes, drawn once per eye, so that every photograph of that eye
shows the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulations.synthesis.anatomy import Points
from simulations.synthesis.labels import Generator

# blood: red and sharp; haze: blood out of focus; exudate: yellow, sharp; fluff: white, soft edges; pale: atrophy and
# scars, soft; drusen: pale yellow under the vessels; pigment: brown-black; swelling: grey-green veil; fine: thin red
# vessels.
Layer = Literal["blood", "haze", "exudate", "fluff", "pale", "drusen", "pigment", "swelling", "fine"]


@dataclass(frozen=True)
class Mark:
    """A filled polygon, or a line where width > 0, of the given strength in (0, 1]."""

    layer: Layer
    points: Points  # (n, 2)
    strength: float
    width: float = 0.0


ANGLES = np.linspace(0, 2 * np.pi, 14, endpoint=False)
KNOTS = np.linspace(0, 2 * np.pi, 7, endpoint=False)


def blob(
    layer: Layer,
    at: Points,
    radius: float,
    rng: Generator,
    *,
    strength: float = 1.0,
    roughness: float = 0.18,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> Mark:
    """An irregular round or oval patch; `stretch` is its length over its breadth, along `angle`."""
    wobble = np.interp(ANGLES, KNOTS, rng.normal(1, roughness, len(KNOTS)), period=2 * np.pi)
    x, y = radius * stretch * wobble * np.cos(ANGLES), radius * wobble * np.sin(ANGLES)
    c, s = np.cos(angle), np.sin(angle)
    return Mark(layer, at + np.stack([c * x - s * y, s * x + c * y], axis=1), strength)


def scatter(rng: Generator, count: int, at: Points, spread: float) -> Points:
    """Places around one point, (count, 2)."""
    return at + rng.normal(0, spread, (count, 2))


def ring(rng: Generator, count: int, at: Points, radius: float, thickness: float) -> Points:
    """Places around a circle, (count, 2)."""
    angle = rng.uniform(0, 2 * np.pi, count)
    distance = radius + rng.normal(0, thickness, count)
    return at + distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def tangle(
    layer: Layer, at: Points, size: float, rng: Generator, *, loops: int, strength: float = 1.0
) -> list[Mark]:
    """A knot of looping fine vessels, as new vessels grow."""
    marks = []
    for _ in range(loops):
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0.25, 0.55, 16))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * size * 0.22
        marks.append(
            Mark(layer, at + rng.normal(0, size * 0.35, 2) + np.cumsum(steps, axis=0), strength, 0.0042)
        )
    return marks
