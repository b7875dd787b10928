"""The healthy eye: optic disc, fovea and the branching vessels, as shapes that any camera can photograph.

Coordinates are those of a right eye seen through a 45 degree camera, in diameters of its round field: the
origin is the field's centre, x runs towards the nose, y downwards. A left eye is its mirror image. The two
eyes of a patient share a style (disc, cup, course of the arcades, pigment) and differ in the small branches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.synthesis.labels import Eye, Generator
from simulations.synthesis.rates import Floats

Points = NDArray[np.float64]  # (n, 2)

STEPS = np.linspace(0.0, 1.0, 25)
BERNSTEIN = np.stack(
    [(1 - STEPS) ** 3, 3 * STEPS * (1 - STEPS) ** 2, 3 * STEPS**2 * (1 - STEPS), STEPS**3], axis=1
)
TAPER = 0.45  # width of a vessel's end over its beginning


@dataclass(frozen=True)
class Style:
    """What the two eyes of one patient have in common."""

    disc: Points  # (2,) centre
    disc_radius: float
    cup_ratio: float
    fovea: Points  # (2,)
    arcade: float  # how wide the temporal arcades swing
    jitter: Points  # (8, 4, 2) offsets of the control points of the main vessels
    tortuosity: float
    calibre: float
    pigment: float  # -1 fair .. 1 dark
    tessellation: float  # 0 .. 1, how far the choroidal vessels show


@dataclass(frozen=True)
class Vessels:
    """Vessels of one order: their courses, their widths at the beginning, and which are veins."""

    courses: Points  # (n, points, 2)
    width: Floats  # (n,)
    vein: NDArray[np.bool_]  # (n,)
    main: bool


@dataclass(frozen=True)
class Anatomy:
    """A healthy eye, ready for lesions."""

    style: Style
    vessels: tuple[Vessels, ...]  # finest first
    disc: Points
    disc_radius: float
    cup_ratio: float
    fovea: Points
    myopic: bool


def draw_style(rng: Generator) -> Style:
    """The traits that run in both eyes of a patient."""
    return Style(
        disc=np.array([rng.normal(0.285, 0.012), rng.normal(-0.015, 0.012)]),
        disc_radius=rng.normal(0.064, 0.004),
        cup_ratio=float(np.clip(rng.normal(0.36, 0.07), 0.2, 0.5)),
        fovea=np.array([rng.normal(-0.045, 0.012), rng.normal(0.02, 0.01)]),
        arcade=rng.normal(0.0, 0.025),
        jitter=rng.normal(0.0, 0.022, (8, 4, 2)),
        tortuosity=float(np.exp(rng.normal(0.0, 0.35))),
        calibre=float(np.exp(rng.normal(0.0, 0.1))),
        pigment=float(np.clip(rng.normal(0.0, 0.5), -1, 1)),
        tessellation=float(np.clip(rng.normal(0.2, 0.25), 0, 0.8)),
    )


def draw_anatomy(style: Style, eye: Eye, rng: Generator) -> Anatomy:
    """The healthy structures of one eye; `eye` gives the findings that change them."""
    cupped = "increased_cup_disc" in eye.findings
    ratio = float(np.clip(rng.normal(0.72, 0.06), 0.6, 0.88)) if cupped else style.cup_ratio
    disc = style.disc + rng.normal(0.0, 0.004, 2)
    mains = _main_vessels(style, disc, "hypertensive_retinopathy" in eye.findings, rng)
    branches = _branches(mains, 44, (0.10, 0.30), style, rng)
    twigs = _branches(branches, 30, (0.05, 0.12), style, rng)
    return Anatomy(
        style=style,
        vessels=(_macular_twigs(style, disc, rng), twigs, branches, mains),
        disc=disc,
        disc_radius=style.disc_radius,
        cup_ratio=ratio,
        fovea=style.fovea + rng.normal(0.0, 0.004, 2),
        myopic="myopic_fundus" in eye.findings,
    )


def _main_vessels(style: Style, disc: Points, narrowed: bool, rng: Generator) -> Vessels:
    """An artery and a vein for each quadrant, leaving the disc as cubic curves."""
    vein = np.arange(8) >= 4
    courses = []
    for k in range(8):
        swing = style.arcade + (0.018 if vein[k] else -0.018)
        if (k // 2) % 2 == 0:  # temporal arcade
            control = [(0, 0), (0.02, 0.22 + swing), (-0.28, 0.37 + swing), (-0.76, 0.15 + 3 * swing)]
        else:  # nasal
            control = [(0, 0), (0.03, 0.10 + swing), (0.12, 0.20), (0.24, 0.34 + swing)]
        points = disc + np.array(control) * (1.0, -1.0 if k % 2 else 1.0)
        points[1:] += style.jitter[k, 1:] + rng.normal(0.0, 0.006, (3, 2))
        courses.append(BERNSTEIN @ points)
    wander = _wander(style.tortuosity, rng)
    calibre = np.where(vein, 0.0135, 0.0062 if narrowed else 0.0100) * style.calibre
    return Vessels(np.stack(courses) + wander, calibre, vein, True)


def _wander(tortuosity: float, rng: Generator) -> Points:
    """Smooth sideways drifts of the main vessels, zero at the disc; (8, points, 2)."""
    phase = rng.uniform(0, 2 * np.pi, (2, 8, 1, 2))
    t = STEPS[:, None]
    slow, fast = np.sin(phase[0] + 9 * t) - np.sin(phase[0]), np.sin(phase[1] + 21 * t) - np.sin(phase[1])
    return np.asarray(0.0035 * tortuosity * (slow + 0.6 * fast))


def _branches(
    parents: Vessels, count: int, length: tuple[float, float], style: Style, rng: Generator
) -> Vessels:
    """Side branches at random places, mostly of the long parents, bending back along them."""
    n, points = parents.courses.shape[:2]
    reach = np.hypot(*(parents.courses[:, -1] - parents.courses[:, 0]).T)
    parent = rng.choice(n, count, p=reach / reach.sum())
    at = rng.integers(points // 6, points - 2, count)
    along = parents.courses[parent, at + 1] - parents.courses[parent, at]
    side = np.where(rng.random(count) < 0.5, 1.0, -1.0)
    angle = np.arctan2(along[:, 1], along[:, 0]) + side * rng.uniform(0.35, 0.85, count)
    taper = 1 - (1 - TAPER) * at / (points - 1)
    return _grow(
        start=parents.courses[parent, at],
        angle=angle,
        bend=-side * rng.uniform(0, 0.7, count),
        length=rng.uniform(*length, count),
        width=parents.width[parent] * taper * 0.62,
        vein=parents.vein[parent],
        style=style,
        rng=rng,
    )


def _grow(
    *,
    start: Points,
    angle: Floats,
    bend: Floats,
    length: Floats,
    width: Floats,
    vein: NDArray[np.bool_],
    style: Style,
    rng: Generator,
) -> Vessels:
    """Vessels that leave `start` at `angle`, turn by `bend` on the way and wander as the style has it."""
    n, points = len(start), 12
    t = np.linspace(0, 1, points)
    drift = np.cumsum(rng.normal(0, 0.10 * style.tortuosity, (n, points)), axis=1)
    heading = angle[:, None] + bend[:, None] * t + drift
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * (length / (points - 1))[:, None, None]
    steps[:, 0] = 0
    return Vessels(start[:, None] + np.cumsum(steps, axis=1), width, vein, False)


def _macular_twigs(style: Style, disc: Points, rng: Generator) -> Vessels:
    """The thin vessels that run from the disc's temporal edge towards the fovea and stop short of it."""
    angle = np.pi + rng.normal(0, 0.25, 4) + np.array([0.30, -0.30, 0.30, -0.30])
    out = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _grow(
        start=disc + style.disc_radius * 0.6 * out,
        angle=angle,
        bend=rng.normal(0, 0.3, 4),
        length=rng.uniform(0.12, 0.22, 4),
        width=np.full(4, 0.0048),
        vein=np.array([False, False, True, True]),
        style=style,
        rng=rng,
    )
