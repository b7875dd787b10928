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

Points = NDArray[np.float64]  # (n, 2)

STEPS = np.linspace(0.0, 1.0, 25)
BERNSTEIN = np.stack(
    [(1 - STEPS) ** 3, 3 * STEPS * (1 - STEPS) ** 2, 3 * STEPS**2 * (1 - STEPS), STEPS**3], axis=1
)


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
class Vessel:
    """One vessel: its course, its width at each point, and whether it is a vein."""

    course: Points  # (n, 2)
    width: NDArray[np.float64]  # (n,)
    vein: bool
    main: bool


@dataclass(frozen=True)
class Anatomy:
    """A healthy eye, ready for lesions."""

    style: Style
    vessels: tuple[Vessel, ...]
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
    narrowed = "hypertensive_retinopathy" in eye.findings
    ratio = float(np.clip(rng.normal(0.72, 0.06), 0.6, 0.88)) if cupped else style.cup_ratio
    disc = style.disc + rng.normal(0.0, 0.004, 2)
    mains = _main_vessels(style, disc, rng)
    branches = [branch for main in mains for branch in _branches(main, style, rng, depth=0)]
    twigs = [
        twig
        for branch in branches
        if len(branch.course) > 8
        for twig in _branches(branch, style, rng, depth=1)
    ]
    vessels = [*twigs, *branches, *mains, *_macular_twigs(style, disc, rng)]
    if narrowed:
        vessels = [v if v.vein else Vessel(v.course, v.width * 0.6, v.vein, v.main) for v in vessels]
    return Anatomy(
        style=style,
        vessels=tuple(sorted(vessels, key=lambda v: (v.vein, v.main))),
        disc=disc,
        disc_radius=style.disc_radius,
        cup_ratio=ratio,
        fovea=style.fovea + rng.normal(0.0, 0.004, 2),
        myopic="myopic_fundus" in eye.findings,
    )


def _main_vessels(style: Style, disc: Points, rng: Generator) -> list[Vessel]:
    """An artery and a vein for each quadrant, leaving the disc as cubic curves."""
    vessels = []
    for k in range(8):
        up = -1.0 if k % 2 else 1.0
        vein = k >= 4
        swing = style.arcade + (0.018 if vein else -0.018)
        if (k // 2) % 2 == 0:  # temporal arcade
            control = [(0, 0), (0.02, 0.22 + swing), (-0.28, 0.37 + swing), (-0.76, 0.15 + 3 * swing)]
        else:  # nasal
            control = [(0, 0), (0.03, 0.10 + swing), (0.12, 0.20), (0.24, 0.34 + swing)]
        points = disc + np.array(control) * (1.0, up)
        points[1:] += style.jitter[k, 1:] + rng.normal(0.0, 0.006, (3, 2))
        course = BERNSTEIN @ points
        course += _wander(len(course), 0.0035 * style.tortuosity, rng)
        width = style.calibre * (0.0135 if vein else 0.0100) * np.linspace(1.0, 0.45, len(course))
        vessels.append(Vessel(course, width, vein, True))
    return vessels


def _wander(n: int, size: float, rng: Generator) -> Points:
    """A smooth sideways drift, zero at the start."""
    phase = rng.uniform(0, 2 * np.pi, (2, 2))
    t = np.linspace(0, 1, n)[:, None]
    waves = np.sin(phase[0] + 9 * t) - np.sin(phase[0]) + 0.6 * (np.sin(phase[1] + 21 * t) - np.sin(phase[1]))
    return np.asarray(size * waves)


def _branches(parent: Vessel, style: Style, rng: Generator, depth: int) -> list[Vessel]:
    """Side branches of a vessel, alternating sides and bending away from it."""
    count = rng.integers(4, 8) if depth == 0 else rng.integers(0, 3)
    side = 1.0 if rng.random() < 0.5 else -1.0
    n = len(parent.course)
    found = []
    for at in np.sort(rng.integers(max(2, n // 7), n - 2, count)):
        heading = parent.course[at + 1] - parent.course[at]
        angle = np.arctan2(heading[1], heading[0]) + side * rng.uniform(0.4, 0.95)
        length = rng.uniform(0.10, 0.30) if depth == 0 else rng.uniform(0.05, 0.13)
        width = parent.width[at] * (0.62 if depth == 0 else 0.7)
        found.append(
            _twig(
                parent.course[at], angle, -side * rng.uniform(0, 0.8), length, width, parent.vein, style, rng
            )
        )
        side = -side
    return found


def _twig(
    start: Points,
    angle: float,
    bend: float,
    length: float,
    width: float,
    vein: bool,
    style: Style,
    rng: Generator,
) -> Vessel:
    n = max(6, int(length / 0.014))
    headings = angle + np.linspace(0, bend, n) + np.cumsum(rng.normal(0, 0.10 * style.tortuosity, n))
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * (length / n)
    steps[0] = 0
    return Vessel(start + np.cumsum(steps, axis=0), width * np.linspace(1.0, 0.45, n), vein, False)


def _macular_twigs(style: Style, disc: Points, rng: Generator) -> list[Vessel]:
    """The thin vessels that run from the disc's temporal edge towards the fovea and stop short of it."""
    twigs = []
    for k in range(4):
        angle = np.pi + rng.normal(0, 0.25) + (0.30 if k % 2 else -0.30)
        start = disc + style.disc_radius * 0.6 * np.array([np.cos(angle), np.sin(angle)])
        twigs.append(
            _twig(start, angle, rng.normal(0, 0.3), rng.uniform(0.12, 0.22), 0.0048, k >= 2, style, rng)
        )
    return twigs
