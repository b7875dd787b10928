"""The lesions of diabetic retinopathy, drawn from the ICDR grade as that scale defines it.

Wilkinson et al., Ophthalmology 2003;110:1677: grade 1 microaneurysms only; 2 more than those, less than
severe; 3 any of more than 20 haemorrhages in each of four quadrants, venous beading in two, IRMA in one;
4 new vessels, preretinal or vitreous haemorrhage. SDRG says how much of grade 2 there is. Sizes are somewhat
larger than in life, so that they outlast a photograph of 128 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulations.synthesis.anatomy import Anatomy, Points
from simulations.synthesis.labels import Eye, Generator
from simulations.synthesis.marks import Marks, blobs, ring, scatter, tangles

CENTRE = np.array([0.05, 0.0])  # between disc and fovea: the quadrants of the 4-2-1 rule meet here
REACH = 0.44  # lesions stay inside the round field
HALF_HEIGHT = 0.38  # and inside the narrowest camera's frame


@dataclass(frozen=True)
class Retinopathy:
    """The lesions of one eye, and whether its veins are beaded."""

    marks: tuple[Marks, ...]
    beaded: bool


def draw_retinopathy(eye: Eye, anatomy: Anatomy, rng: Generator) -> Retinopathy:
    """Every diabetic lesion of an eye of this grade; nothing for grade 0 without oedema."""
    marks: list[Marks] = []
    beaded = False
    if eye.icdr == 1:
        marks.append(_microaneurysms(int(rng.integers(3, 10)), anatomy, rng))
    elif eye.icdr == 2:
        marks += _moderate(eye, anatomy, rng)
    elif eye.icdr == 3:
        marks, beaded = _severe(anatomy, rng)
    elif eye.icdr == 4:
        marks, beaded = _proliferative(anatomy, rng)
    if "macular_edema" in eye.findings:
        marks += _edema(eye, anatomy, rng)
    return Retinopathy(tuple(marks), beaded)


def _moderate(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Marks]:
    low, high = {1: (4, 8), 2: (9, 15), 3: (16, 30)}[eye.sdrg]
    marks = [_microaneurysms(int(rng.integers(8, 18)), anatomy, rng)]
    marks += _haemorrhages(places(int(rng.integers(low, high + 1)), anatomy, rng), anatomy, rng)
    marks += _soft_and_hard(anatomy, rng, exudates=0.6, cotton_wool=0.4, most=3)
    return marks


def _severe(anatomy: Anatomy, rng: Generator) -> tuple[list[Marks], bool]:
    """At least one criterion of the 4-2-1 rule holds; often several."""
    many, beaded, irma = rng.random(3) < (0.8, 0.5, 0.5)
    if not (many or beaded or irma):
        many = True
    marks = [_microaneurysms(int(rng.integers(12, 25)), anatomy, rng)]
    for quadrant in range(4):
        count = int(rng.integers(21, 29)) if many else int(rng.integers(9, 19))
        marks += _haemorrhages(places(count, anatomy, rng, quadrant), anatomy, rng)
    if irma:
        marks.append(
            tangles(places(int(rng.integers(2, 6)), anatomy, rng), 0.022, rng, loops=2, strength=0.7)
        )
    marks += _soft_and_hard(anatomy, rng, exudates=0.6, cotton_wool=0.6, most=5)
    return marks, bool(beaded)


def _proliferative(anatomy: Anatomy, rng: Generator) -> tuple[list[Marks], bool]:
    """New vessels or the bleeding they cause, over whatever background there was; often lasered."""
    at_disc, elsewhere, preretinal, vitreous = rng.random(4) < (0.55, 0.6, 0.4, 0.2)
    if not (at_disc or elsewhere or preretinal or vitreous):
        at_disc = True
    marks = _laser(anatomy, rng) if rng.random() < 0.55 else []
    marks.append(_microaneurysms(int(rng.integers(5, 18)), anatomy, rng))
    marks += _haemorrhages(places(int(rng.integers(8, 45)), anatomy, rng), anatomy, rng)
    marks += _soft_and_hard(anatomy, rng, exudates=0.4, cotton_wool=0.3, most=3)
    if at_disc:
        marks.append(tangles(anatomy.disc[None] + rng.normal(0, 0.012, 2), 0.055, rng, loops=11))
    if elsewhere:
        marks.append(tangles(places(int(rng.integers(1, 4)), anatomy, rng), 0.042, rng, loops=8))
    if preretinal:
        marks.append(_preretinal(rng))
    if vitreous:
        marks.append(_vitreous(rng))
    return marks, bool(rng.random() < 0.4)


def places(count: int, anatomy: Anatomy, rng: Generator, quadrant: int | None = None) -> Points:
    """Random places on the visible retina away from disc and fovea centre; (count, 2)."""
    found = np.empty((0, 2))
    while len(found) < count:
        n = 2 * count + 8
        angle = rng.uniform(0, 2 * np.pi, n) if quadrant is None else (quadrant + rng.random(n)) * np.pi / 2
        out = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        at = CENTRE + 0.5 * np.sqrt(rng.random(n))[:, None] * out
        clear = np.hypot(*(at - anatomy.fovea).T) > 0.025
        found = np.concatenate([found, at[clear & _visible(at, anatomy)]])
    return found[:count]


def _visible(at: Points, anatomy: Anatomy) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside = (np.hypot(*at.T) < REACH) & (np.abs(at[:, 1]) < HALF_HEIGHT)
    return np.asarray(inside & (np.hypot(*(at - anatomy.disc).T) > 1.25 * anatomy.disc_radius))


def _microaneurysms(count: int, anatomy: Anatomy, rng: Generator) -> Marks:
    near = scatter(rng, 6 * count + 30, anatomy.fovea, 0.16)
    near = near[_visible(near, anatomy)][:count]
    n = len(near)
    return blobs(
        "blood", near, rng.uniform(0.0075, 0.0100, n), rng, strength=rng.uniform(0.5, 0.85, n), roughness=0.04
    )


def _haemorrhages(at: Points, anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Dots and blots, and a fifth of them flames that lie along the nerve fibres, which leave the disc."""
    flame = rng.random(len(at)) < 0.2
    blots, flames = at[~flame], np.repeat(at[flame], 3, axis=0)
    radius = np.clip(rng.lognormal(np.log(0.0105), 0.42, len(blots)), 0.007, 0.028)
    away = flames - anatomy.disc
    angle = np.arctan2(away[:, 1], away[:, 0]) + np.repeat(rng.normal(0, 0.15, int(flame.sum())), 3)
    n = len(flames)
    return [
        blobs("blood", blots, radius, rng, strength=rng.uniform(0.5, 0.95, len(blots)), roughness=0.09),
        blobs(
            "blood",
            flames + rng.normal(0, 0.005, (n, 2)),
            rng.uniform(0.0035, 0.006, n),
            rng,
            strength=rng.uniform(0.5, 0.9, n),
            stretch=rng.uniform(3, 5, n),
            angle=angle,
        ),
    ]


def _soft_and_hard(
    anatomy: Anatomy, rng: Generator, *, exudates: float, cotton_wool: float, most: int
) -> list[Marks]:
    """Hard exudates off the macula's centre and cotton-wool spots near the disc, each with its chance."""
    marks: list[Marks] = []
    if rng.random() < exudates:
        at = places(12 * most, anatomy, rng)
        away = at[np.hypot(*(at - anatomy.fovea).T) > 0.14][: int(rng.integers(1, most + 1))]
        for place in away:
            count = int(rng.integers(8, 26))
            circinate = rng.random() < 0.4
            spots = ring(rng, count, place, 0.035, 0.008) if circinate else scatter(rng, count, place, 0.02)
            marks.append(_deposits(spots, rng))
    if rng.random() < cotton_wool:
        at = places(12 * most, anatomy, rng)
        near = at[np.hypot(*(at - anatomy.disc).T) < 0.34][: int(rng.integers(1, most + 1))]
        n = len(near)
        marks.append(
            blobs(
                "fluff",
                near,
                rng.uniform(0.013, 0.02, n),
                rng,
                strength=rng.uniform(0.7, 1, n),
                stretch=rng.uniform(1.1, 1.8, n),
                angle=rng.uniform(0, np.pi, n),
            )
        )
    return marks


def _deposits(spots: Points, rng: Generator) -> Marks:
    n = len(spots)
    return blobs("exudate", spots, rng.uniform(0.003, 0.0085, n), rng, strength=rng.uniform(0.7, 1.0, n))


def _edema(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Thickening of the macula; with retinopathy usually exudates around its centre as well."""
    at = anatomy.fovea + rng.normal(0, 0.015, 2)
    marks = [blobs("swelling", at[None], rng.uniform(0.07, 0.10), rng, strength=rng.uniform(0.6, 1))]
    if eye.icdr >= 1 and rng.random() < 0.85:
        marks.append(
            _deposits(ring(rng, int(rng.integers(14, 40)), at, rng.uniform(0.045, 0.08), 0.014), rng)
        )
    return marks


def _laser(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Panretinal photocoagulation: rows of pale burns outside the arcades, some pigmented."""
    grid = np.mgrid[-0.46:0.47:0.052, -0.37:0.38:0.052].reshape(2, -1).T
    grid = grid + rng.normal(0, 0.011, grid.shape)
    outside = np.hypot(*((grid - CENTRE - [-0.06, 0]) / [1.25, 1.0]).T) > rng.uniform(0.24, 0.29)
    inside = (np.hypot(*grid.T) < REACH + 0.02) & (rng.random(len(grid)) < rng.uniform(0.6, 0.95))
    clear = np.hypot(*(grid - anatomy.disc).T) > 1.7 * anatomy.disc_radius
    at = grid[outside & inside & clear]
    size = rng.uniform(0.010, 0.017, len(at))
    dark = rng.random(len(at)) < 0.4
    return [
        blobs("pale", at, size, rng, strength=rng.uniform(0.45, 0.9, len(at)), roughness=0.08),
        blobs("pigment", at[dark] + rng.normal(0, 0.003, 2), size[dark] * 0.5, rng, strength=0.7),
    ]


def _preretinal(rng: Generator) -> Marks:
    """A boat of blood with a level top, since it settles in front of the retina."""
    below = rng.random() < 0.75
    at = np.array([rng.uniform(-0.25, 0.22), rng.uniform(0.12, 0.26) * (1 if below else -1)])
    length, depth = rng.uniform(0.07, 0.13), rng.uniform(0.045, 0.085)
    angle = np.linspace(0, np.pi, 16)
    hull = np.stack([length * np.cos(angle), depth * np.sin(angle) ** 0.8], axis=1)
    return Marks("blood", (at + hull + rng.normal(0, 0.002, hull.shape))[None], np.ones(1))


def _vitreous(rng: Generator) -> Marks:
    """Blood in the vitreous: dark veils without an edge, mostly below."""
    n = int(rng.integers(3, 7))
    at = np.stack([rng.uniform(-0.25, 0.25, n), rng.uniform(-0.05, 0.3, n)], axis=1)
    return blobs(
        "haze",
        at,
        rng.uniform(0.05, 0.12, n),
        rng,
        strength=rng.uniform(0.6, 1.0, n),
        stretch=rng.uniform(1.2, 2.2, n),
        angle=rng.uniform(-0.6, 0.6, n),
    )
