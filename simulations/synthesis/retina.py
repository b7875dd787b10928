"""The retina of one photograph before the camera: layers of reflectance and absorption.

Blood absorbs (Beer-Lambert: densities add, light multiplies), deposits and scars are painted over the retina.
Everything is relative to the bare fundus; its colour is the camera's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw, ImageFilter

from simulations.synthesis.anatomy import TAPER, Anatomy, Style, Vessels
from simulations.synthesis.camera import FULL, Plane
from simulations.synthesis.labels import Generator, Side
from simulations.synthesis.marks import Layer, Marks
from simulations.synthesis.view import View, stroke

Colour = tuple[float, float, float]

FINE = 3  # supersampling of thin shapes


@dataclass(frozen=True)
class EyePicture:
    """All shapes of one eye: what every photograph of it shows."""

    side: Side
    anatomy: Anatomy
    marks: tuple[Marks, ...]
    beaded: bool


# Relative reflectance, red green blue, of what lies under the vessels and of what lies over them.
UNDER: dict[Layer, Colour] = {
    "pale": (1.25, 1.55, 2.00),
    "drusen": (1.22, 1.45, 1.20),
    "swelling": (1.02, 1.26, 1.70),
    "pigment": (0.36, 0.38, 0.52),
}
OVER: dict[Layer, Colour] = {"exudate": (1.40, 1.90, 1.40), "fluff": (1.32, 1.75, 2.60)}
VEILS: tuple[Layer, ...] = ("swelling", "haze")  # without edges, so that an eighth of the size is enough
# Softness of the other layers' edges, in thousandths of the field's diameter.
SOFT: dict[Layer, float] = {"pale": 3, "pigment": 3, "fluff": 5, "drusen": 2, "blood": 1.5}
# Optical density of blood, red green blue.
VESSEL: Colour = (0.30, 0.78, 0.55)
BLOOD: Colour = (0.50, 1.25, 0.85)
DISC: Colour = (1.25, 1.48, 1.70)
CUP: Colour = (1.50, 2.10, 3.10)
MACULA: Colour = (0.14, 0.34, 0.30)  # density of its yellow pigment


def draw_retina(eye: EyePicture, view: View, rng: Generator) -> list[Plane]:
    """Reflectance relative to the bare fundus: red, green and blue, each (height, width)."""
    anatomy = eye.anatomy
    planes = _fundus(anatomy.style, anatomy.myopic, view, rng)
    for layer, colour in UNDER.items():
        _paint(planes, _cover(eye.marks, layer, view), colour)
    _macula(planes, anatomy, view)
    _disc(planes, anatomy, view)
    density = _vessels(anatomy.vessels, eye.beaded, view)
    fine = _cover(eye.marks, "fine", view)
    if fine is not None:
        np.maximum(density, fine, out=density)
    for layer, colour in OVER.items():
        _paint(planes, _cover(eye.marks, layer, view), colour)
    _absorb(planes, density, _cover(eye.marks, "blood", view), _cover(eye.marks, "haze", view))
    return planes


def _fundus(style: Style, myopic: bool, view: View, rng: Generator) -> list[Plane]:
    """The bare fundus: blotches of pigment, and choroidal vessels where the pigment is thin."""
    blotch = 0.05 * view.clouds(0.22, rng) + 0.022 * view.clouds(0.05, rng) + 0.014 * view.clouds(0.018, rng)
    choroid = np.exp(-2.2 * np.square(view.clouds(0.05, rng)))
    choroid *= np.float32(0.5 if myopic else 0.35 * style.tessellation)
    dark = 0.12 * style.pigment
    shades = ((0.7, 0.22, 0.5), (1.2, 0.35, 1.0), (1.5, 0.10, 1.2))
    return [np.exp(blotch * a + choroid * b - dark * c) for a, b, c in shades]


def _cover(marks: tuple[Marks, ...], layer: Layer, view: View) -> Plane | None:
    """Coverage of one layer in [0, 1], (height, width), or None where nothing lies on it."""
    mine = [group for group in marks if group.layer == layer and len(group.shapes)]
    if not mine:
        return None
    scale = 0.125 if layer in VEILS else FINE
    mask = view.mask(scale)
    draw = ImageDraw.Draw(mask)
    for group in mine:
        shapes = view(group.shapes, scale).reshape(len(group.shapes), -1).tolist()
        width = group.width * view.diameter * scale
        for shape, strength in zip(shapes, (255 * group.strength).astype(int).tolist(), strict=True):
            if width:
                stroke(draw, shape, width, strength)
            else:
                draw.polygon(shape, strength)
    if layer in VEILS:
        veil = view.enlarge(mask.filter(ImageFilter.GaussianBlur(1)).convert("F"))
        return np.asarray(np.clip(veil / FULL, 0, 1), np.float32)
    mask = mask.reduce(FINE)
    if layer in SOFT:
        mask = mask.filter(ImageFilter.BoxBlur(SOFT[layer] * view.diameter / 1000))
    return np.asarray(mask, np.float32) / FULL


def _paint(planes: list[Plane], cover: Plane | None, colour: Colour) -> None:
    if cover is not None:
        for k in range(3):
            planes[k] += cover * (np.float32(colour[k]) - planes[k])


def _macula(planes: list[Plane], anatomy: Anatomy, view: View) -> None:
    """The yellow pigment darkens the macula; the foveal pit is darker still."""
    for radius, softness, depth in ((0.075, 0.070, 1.0), (0.020, 0.018, 0.7)):
        rows, columns, cover = view.spot(anatomy.fovea, radius, softness)
        for k in range(3):
            planes[k][rows, columns] *= np.exp(cover * np.float32(-depth * MACULA[k]))


def _disc(planes: list[Plane], anatomy: Anatomy, view: View) -> None:
    """A soft glow of nerve fibres, the disc, and its cup slightly to the temporal side."""
    radius = anatomy.disc_radius
    cup = anatomy.disc - [0.1 * radius, 0.0]
    for at, size, softness, strength, colour in (
        (anatomy.disc, 1.6 * radius, 0.095, 0.25, (1.25, 1.40, 1.6)),
        (anatomy.disc, radius, 0.008, 0.95, DISC),
        (cup, anatomy.cup_ratio * radius, 0.012, 0.9, CUP),
    ):
        rows, columns, cover = view.spot(at, size, softness)
        _paint([plane[rows, columns] for plane in planes], cover * np.float32(strength), colour)


def _vessels(vessels: tuple[Vessels, ...], beaded: bool, view: View) -> Plane:
    """Density of the vessels: veins darker than arteries, with the light streak along large arteries."""
    mask = view.mask(FINE)
    draw = ImageDraw.Draw(mask)
    for group in vessels:
        courses = view(group.courses, FINE)
        widths = (group.width * view.diameter * FINE).tolist()
        for course, width, vein in zip(courses, widths, group.vein.tolist(), strict=True):
            flat = course.ravel().tolist()
            _taper(draw, flat, width, 225 if vein else 150, 4 if group.main else 2)
            if group.main and not vein:
                stroke(draw, flat[:36], width * 0.25, 95)
            if group.main and vein and beaded:
                _bead(draw, flat, width)
    return np.asarray(mask.reduce(FINE), np.float32) / FULL


def _taper(draw: ImageDraw.ImageDraw, flat: list[float], width: float, fill: int, pieces: int) -> None:
    """A line that narrows along its course, in pieces of constant width."""
    last = len(flat) // 2 - 1
    for k in range(pieces):
        start, end = last * k // pieces, last * (k + 1) // pieces
        share = 1 - (1 - TAPER) * (k + 0.5) / pieces
        stroke(draw, flat[2 * start : 2 * end + 2], width * share, fill)


def _bead(draw: ImageDraw.ImageDraw, flat: list[float], width: float) -> None:
    """Venous beading: swellings strung along the vein."""
    for at in range(6, len(flat), 4):
        x, y, r = flat[at], flat[at + 1], width * (1 - (1 - TAPER) * at / len(flat)) * 0.95
        draw.ellipse([x - r, y - r, x + r, y + r], 235)


def _absorb(planes: list[Plane], vessels: Plane, blood: Plane | None, haze: Plane | None) -> None:
    """Light lost in the vessels, in blood on the retina (which hides vessels) and in blood before it."""
    for k in range(3):
        density = vessels * np.float32(VESSEL[k])
        if blood is not None:
            np.maximum(density, blood * np.float32(BLOOD[k]), out=density)
        if haze is not None:
            density += haze * np.float32(BLOOD[k])
        planes[k] *= np.exp(-density)


def smear(planes: list[Plane], view: View, rng: Generator) -> None:
    """An artefact in front of the eye: a bright smear, painted in place."""
    at = rng.uniform(-0.3, 0.3, 2)
    for _ in range(2):
        rows, columns, cover = view.spot(at + rng.normal(0, 0.04, 2), 0.08, 0.075)
        _paint([plane[rows, columns] for plane in planes], cover * np.float32(0.6), (1.4, 1.9, 2.6))
