"""From the shapes of an eye to a photograph of it: layers of reflectance and absorption, then the camera.

Blood absorbs (Beer-Lambert: densities add, light multiplies), deposits and scars are painted over the retina.
Everything is relative to the bare fundus; its colour is the camera's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from simulations.synthesis.anatomy import Anatomy, Points, Style, Vessel, draw_anatomy, draw_style
from simulations.synthesis.camera import CAMERAS, Camera, Plane, draw_field, encode, expose, scaled
from simulations.synthesis.findings import draw_findings
from simulations.synthesis.labels import Eye, Generator, Patient, Photograph, Side, generator
from simulations.synthesis.lesions import draw_retinopathy
from simulations.synthesis.marks import Mark

Colour = tuple[float, float, float]

FINE = 3  # supersampling of thin shapes
# Relative reflectance of what covers the retina, red green blue; softness in field diameters.
PAINT: dict[str, tuple[Colour, float]] = {
    "pale": ((1.25, 1.55, 2.00), 0.004),
    "drusen": ((1.22, 1.45, 1.20), 0.003),
    "swelling": ((0.96, 1.22, 1.60), 0.022),
    "pigment": ((0.32, 0.34, 0.50), 0.004),
}
OVER: dict[str, tuple[Colour, float]] = {
    "exudate": ((1.40, 1.90, 1.40), 0.0),
    "fluff": ((1.32, 1.75, 2.60), 0.005),
}
# Optical density of blood, red green blue.
VESSEL: Colour = (0.30, 0.78, 0.55)
BLOOD: Colour = (0.52, 1.35, 0.90)
DISC: Colour = (1.35, 1.62, 1.90)
CUP: Colour = (1.48, 2.05, 3.00)


@dataclass(frozen=True)
class EyePicture:
    """All shapes of one eye: what every photograph of it shows."""

    side: Side
    anatomy: Anatomy
    marks: tuple[Mark, ...]
    beaded: bool


def draw_eye(eye: Eye, style: Style, rng: Generator) -> EyePicture:
    """The shapes of one eye, from its labels and the patient's style."""
    anatomy = draw_anatomy(style, eye, rng)
    retinopathy = draw_retinopathy(eye, anatomy, rng)
    marks = (*draw_findings(eye, anatomy, rng), *retinopathy.marks)
    return EyePicture(eye.side, anatomy, marks, retinopathy.beaded)


def draw_photographs(patient: Patient, seed: int, size: int = 100) -> list[bytes]:
    """The JPEG files of a patient, in the order of their photographs; size in percent of the camera's own."""
    camera = scaled(CAMERAS[patient.center], size)
    style = draw_style(generator(seed, patient.number, 1))
    eyes: dict[Side, EyePicture] = {}
    files = []
    for k, photograph in enumerate(patient.photographs):
        eye = photograph.eye
        if eye.side not in eyes:
            eyes[eye.side] = draw_eye(eye, style, generator(seed, patient.number, 2 + (eye.side == "left")))
        rng = generator(seed, patient.number, 10 + k)
        files.append(photograph_eye(eyes[eye.side], photograph, camera, rng))
    return files


def photograph_eye(eye: EyePicture, photograph: Photograph, camera: Camera, rng: Generator) -> bytes:
    """One JPEG file of this eye, taken with this camera."""
    view = draw_view(eye.side, camera, "image_field" in photograph.bad, rng)
    planes = _retina(eye, view, rng)
    field = draw_field(camera, "illumination" in photograph.bad, rng)
    if "artifacts" in photograph.bad:
        _smear(planes, view, rng)
    return encode(expose(planes, field, camera, photograph.bad, rng), camera, rng)


@dataclass(frozen=True)
class View:
    """Where a point of the eye falls in one photograph."""

    width: int
    height: int
    diameter: float
    matrix: Points  # (2, 2)
    shift: Points  # (2,), pixels

    def __call__(self, points: Points, scale: int = 1) -> Points:
        """Pixels of points of the eye, both (n, 2)."""
        return np.asarray((points @ self.matrix + self.shift) * scale)

    def mask(self, scale: int = 1) -> Image.Image:
        """An empty mask of this photograph's size."""
        return Image.new("L", (self.width * scale, self.height * scale))


def draw_view(side: Side, camera: Camera, displaced: bool, rng: Generator) -> View:
    """How the eye was looking: a small shift and turn, a large one where the field is bad."""
    diameter = camera.field * camera.height
    turn = rng.normal(0, np.deg2rad(3))
    mirror = -1.0 if side == "left" else 1.0
    zoom = diameter * rng.uniform(0.97, 1.03)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = np.diag([mirror, 1.0]) @ rotation * zoom
    shift = rng.normal(0, 0.015, 2)
    if displaced:
        angle = rng.uniform(0, 2 * np.pi)
        shift = shift + rng.uniform(0.08, 0.14) * np.array([np.cos(angle), np.sin(angle)])
    centre = np.array([camera.width / 2, camera.height / 2]) + shift * diameter
    return View(camera.width, camera.height, diameter, matrix, centre)


def _retina(eye: EyePicture, view: View, rng: Generator) -> list[Plane]:
    anatomy = eye.anatomy
    planes = _fundus(anatomy.style, anatomy.myopic, view, rng)
    for layer, (colour, softness) in PAINT.items():
        _paint(planes, _marks(eye.marks, layer, view, softness), colour)
    _macula(planes, anatomy, view)
    _disc(planes, anatomy, view)
    density = _vessels(anatomy.vessels, eye.beaded, view)
    fine = _marks(eye.marks, "fine", view, 0.0)
    if fine is not None:
        density = np.maximum(density, fine * np.float32(1.1))
    blood = _marks(eye.marks, "blood", view, 0.0)
    haze = _marks(eye.marks, "haze", view, 0.03)
    for layer, (colour, softness) in OVER.items():
        _paint(planes, _marks(eye.marks, layer, view, softness), colour)
    for k in range(3):
        absorbed = density * np.float32(VESSEL[k])
        if blood is not None:
            absorbed = np.maximum(absorbed, blood * np.float32(BLOOD[k]))
        if haze is not None:
            absorbed = absorbed + haze * np.float32(BLOOD[k])
        planes[k] *= np.exp(-absorbed)
    return planes


def _clouds(view: View, cell: float, rng: Generator) -> Plane:
    """Smooth noise with features of about `cell` field diameters, unit variance."""
    pitch = cell * view.diameter
    shape = (int(view.height / pitch) + 3, int(view.width / pitch) + 3)
    grid = Image.fromarray(rng.standard_normal(shape, np.float32))
    return np.asarray(grid.resize((view.width, view.height), Image.Resampling.BICUBIC), np.float32)


def _fundus(style: Style, myopic: bool, view: View, rng: Generator) -> list[Plane]:
    """The bare fundus: blotches of pigment, and choroidal vessels where the pigment is thin."""
    blotch = (
        0.05 * _clouds(view, 0.22, rng) + 0.022 * _clouds(view, 0.05, rng) + 0.012 * _clouds(view, 0.015, rng)
    )
    choroid = np.exp(-3.0 * np.abs(_clouds(view, 0.055, rng)))
    strength = np.float32(0.9 if myopic else 0.35 * style.tessellation)
    dark = np.float32(0.12 * style.pigment)
    return [
        np.exp(blotch * 0.7 + choroid * strength * 0.22 - dark * 0.5),
        np.exp(blotch * 1.2 + choroid * strength * 0.35 - dark),
        np.exp(blotch * 1.5 + choroid * strength * 0.10 - dark * 1.2),
    ]


def _marks(marks: tuple[Mark, ...], layer: str, view: View, softness: float) -> Plane | None:
    """Coverage of one layer in [0, 1], or None where it has no mark; soft layers need no supersampling."""
    mine = [mark for mark in marks if mark.layer == layer]
    if not mine:
        return None
    scale = 1 if softness > 0.01 else FINE
    mask = view.mask(scale)
    draw = ImageDraw.Draw(mask)
    pixels = view(np.concatenate([mark.points for mark in mine]), scale)
    flat = pixels.ravel().tolist()
    at = 0
    for mark in mine:
        end = at + 2 * len(mark.points)
        fill = int(255 * mark.strength)
        if mark.width:
            draw.line(flat[at:end], fill, max(1, round(mark.width * view.diameter * scale)), "curve")
        else:
            draw.polygon(flat[at:end], fill)
        at = end
    mask = mask.reduce(scale)
    if softness:
        mask = mask.filter(ImageFilter.GaussianBlur(softness * view.diameter))
    return np.asarray(mask, np.float32) / np.float32(255)


def _paint(planes: list[Plane], cover: Plane | None, colour: Colour) -> None:
    if cover is not None:
        for k in range(3):
            planes[k] += cover * (np.float32(colour[k]) - planes[k])


def _ellipse(view: View, at: Points, radius: float, softness: float) -> Plane:
    """A soft round patch, slightly taller than wide as discs are."""
    x, y = view(at[None], 1)[0]
    rx, ry = radius * view.diameter * 0.95, radius * view.diameter * 1.05
    mask = view.mask()
    ImageDraw.Draw(mask).ellipse([x - rx, y - ry, x + rx, y + ry], 255)
    return np.asarray(
        mask.filter(ImageFilter.GaussianBlur(softness * view.diameter)), np.float32
    ) / np.float32(255)


def _macula(planes: list[Plane], anatomy: Anatomy, view: View) -> None:
    """The yellow pigment darkens the macula; the foveal pit is darker still."""
    wide = _ellipse(view, anatomy.fovea, 0.085, 0.035)
    pit = _ellipse(view, anatomy.fovea, 0.022, 0.012)
    for k, density in enumerate((0.14, 0.34, 0.30)):
        planes[k] *= np.exp(-np.float32(density) * (wide + np.float32(0.7) * pit))


def _disc(planes: list[Plane], anatomy: Anatomy, view: View) -> None:
    glow = _ellipse(view, anatomy.disc, anatomy.disc_radius * 1.6, 0.05)
    _paint(planes, glow * np.float32(0.25), (1.15, 1.5, 1.7))
    _paint(planes, _ellipse(view, anatomy.disc, anatomy.disc_radius, 0.005) * np.float32(0.95), DISC)
    cup = anatomy.disc - [0.1 * anatomy.disc_radius, 0.0]
    _paint(planes, _ellipse(view, cup, anatomy.disc_radius * anatomy.cup_ratio, 0.006) * np.float32(0.9), CUP)


def _vessels(vessels: tuple[Vessel, ...], beaded: bool, view: View) -> Plane:
    """Density of the vessels: veins darker than arteries, with the light streak along large arteries."""
    mask = view.mask(FINE)
    draw = ImageDraw.Draw(mask)
    for vessel in vessels:
        points = view(vessel.course, FINE)
        widths = vessel.width * view.diameter * FINE
        _stroke(draw, points, widths, 225 if vessel.vein else 150)
        if vessel.main and not vessel.vein:
            _stroke(draw, points[:18], widths[:18] * 0.3, 95)
        if vessel.vein and beaded and vessel.main:
            for (x, y), w in zip(points[3::2], widths[3::2] * 0.95, strict=True):
                draw.ellipse([x - w, y - w, x + w, y + w], 235)
    return np.asarray(mask.reduce(FINE), np.float32) / np.float32(255)


def _stroke(draw: ImageDraw.ImageDraw, points: Points, widths: Points, fill: int) -> None:
    """A tapering line, in a few pieces of constant width."""
    flat = points.ravel().tolist()
    pieces = 4 if len(points) > 12 else 2
    edges = np.linspace(0, len(points) - 1, pieces + 1).astype(int).tolist()
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        draw.line(
            flat[2 * start : 2 * end + 2], fill, max(1, round(float(widths[start : end + 1].mean()))), "curve"
        )


def _smear(planes: list[Plane], view: View, rng: Generator) -> None:
    """An artefact: a bright smear or dust in front of the eye."""
    at = view(rng.uniform(-0.3, 0.3, (1, 2)))[0]
    y, x = np.mgrid[0 : view.height, 0 : view.width].astype(np.float32)
    size = rng.uniform(0.06, 0.14, 2) * view.diameter
    veil = np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2).astype(np.float32)
    for plane in planes:
        plane += np.float32(0.9) * veil
