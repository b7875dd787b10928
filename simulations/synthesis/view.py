"""Where each point of an eye falls in one photograph, and masks of that photograph's size.

Two photographs of one eye differ by a small shift and turn; a left eye is mirrored here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from simulations.synthesis.anatomy import Points
from simulations.synthesis.camera import Camera, Plane
from simulations.synthesis.labels import Generator, Side


@dataclass(frozen=True)
class View:
    """The way from the eye's coordinates to pixels."""

    width: int
    height: int
    diameter: float  # of the round field, pixels
    matrix: Points  # (2, 2)
    shift: Points  # (2,), pixels

    def __call__(self, points: Points, scale: float = 1) -> Points:
        """Pixels of points of the eye, both (..., 2), in a photograph `scale` times the size."""
        return np.asarray((points @ self.matrix + self.shift) * scale)

    def mask(self, scale: float = 1) -> Image.Image:
        """An empty mask, `scale` times the photograph's size."""
        return Image.new("L", (round(self.width * scale), round(self.height * scale)))

    def clouds(self, cell: float, rng: Generator) -> Plane:
        """Smooth noise of about unit variance with features of `cell` field diameters; (height, width)."""
        pitch = cell * self.diameter
        shape = (int(self.height / pitch) + 3, int(self.width / pitch) + 3)
        return self.enlarge(Image.fromarray(rng.standard_normal(shape, np.float32)))

    def enlarge(self, picture: Image.Image) -> Plane:
        """A small picture of floats brought to the photograph's size, smoothly; (height, width)."""
        return np.asarray(picture.resize((self.width, self.height), Image.Resampling.BICUBIC), np.float32)

    def spot(self, at: Points, radius: float, softness: float) -> tuple[slice, slice, Plane]:
        """A round patch with a soft edge, slightly taller than wide as discs are: rows, columns, cover.

        The cover falls from 1 to 0 within `softness` on either side of the radius.
        """
        x, y = self(at)
        reach = (radius + softness) * self.diameter * 1.06 + 1
        left, top = max(int(x - reach), 0), max(int(y - reach), 0)
        rows = slice(top, max(min(int(y + reach) + 1, self.height), top))
        columns = slice(left, max(min(int(x + reach) + 1, self.width), left))
        down, across = np.ogrid[rows, columns]
        distance = np.hypot((across - x) / 0.95, (down - y) / 1.05).astype(np.float32)
        distance /= np.float32(self.diameter)
        edge = np.clip((radius + softness - distance) / np.float32(2 * softness), 0, 1)
        return rows, columns, edge * edge * (3 - 2 * edge)


def draw_view(side: Side, camera: Camera, displaced: bool, rng: Generator) -> View:
    """How the eye was looking: a small shift and turn, a large shift where the field is bad."""
    diameter = camera.field * camera.height
    turn = rng.normal(0, np.deg2rad(3))
    zoom = diameter * rng.uniform(0.97, 1.03)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = np.diag([-1.0 if side == "left" else 1.0, 1.0]) @ rotation * zoom
    shift = rng.normal(0, 0.015, 2)
    if displaced:
        angle = rng.uniform(0, 2 * np.pi)
        shift = shift + rng.uniform(0.08, 0.14) * np.array([np.cos(angle), np.sin(angle)])
    centre = np.array([camera.width / 2, camera.height / 2]) + shift * diameter
    return View(camera.width, camera.height, diameter, matrix, centre)


def stroke(draw: ImageDraw.ImageDraw, course: list[float], width: float, fill: int) -> None:
    """A line through pixels x, y, x, y, ...; joints are rounded where they would show."""
    pixels = max(1, round(width))
    draw.line(course, fill, pixels, "curve" if pixels > 4 else None)
