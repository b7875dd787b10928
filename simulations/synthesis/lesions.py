"""The lesions of diabetic retinopathy, drawn from the ICDR grade as that scale defines it.

Wilkinson et al., Ophthalmology 2003;110:1677: grade 1 microaneurysms only; 2 more than those, less than severe;
3 any of more than 20 haemorrhages in each of four quadrants, venous beading in two, IRMA in one; 4 new vessels,
preretinal or vitreous haemorrhage. SDRG says how much of grade 2 there is. Sizes are somewhat larger than in life.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulations.synthesis.anatomy import Anatomy, Points
from simulations.synthesis.labels import Eye, Generator
from simulations.synthesis.marks import Mark, blob, ring, scatter, tangle

CENTRE = np.array([0.05, 0.0])  # between disc and fovea: the quadrants of the 4-2-1 rule meet here
REACH = 0.44  # lesions stay inside the round field
HALF_HEIGHT = 0.38  # and inside the narrowest camera's frame


@dataclass(frozen=True)
class Retinopathy:
    """The lesions of one eye, and whether its veins are beaded."""

    marks: tuple[Mark, ...]
    beaded: bool


def draw_retinopathy(eye: Eye, anatomy: Anatomy, rng: Generator) -> Retinopathy:
    """Every diabetic lesion of an eye of this grade; nothing for grade 0 without oedema."""
    marks: list[Mark] = []
    beaded = False
    if eye.icdr == 1:
        marks += _microaneurysms(int(rng.integers(3, 10)), anatomy, rng)
    elif eye.icdr == 2:
        marks += _moderate(eye, anatomy, rng)
    elif eye.icdr == 3:
        marks, beaded = _severe(anatomy, rng)
    elif eye.icdr == 4:
        marks, beaded = _proliferative(anatomy, rng)
    if "macular_edema" in eye.findings:
        marks += _edema(eye, anatomy, rng)
    return Retinopathy(tuple(marks), beaded)


def _moderate(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    low, high = {1: (4, 8), 2: (9, 15), 3: (16, 30)}[eye.sdrg]
    marks = _microaneurysms(int(rng.integers(8, 18)), anatomy, rng)
    marks += _haemorrhages(places(int(rng.integers(low, high + 1)), anatomy, rng), anatomy, rng)
    if rng.random() < 0.6:
        marks += _exudates(int(rng.integers(1, 4)), anatomy, rng)
    if rng.random() < 0.4:
        marks += _cotton_wool(int(rng.integers(1, 4)), anatomy, rng)
    return marks


def _severe(anatomy: Anatomy, rng: Generator) -> tuple[list[Mark], bool]:
    """At least one criterion of the 4-2-1 rule holds; often several."""
    many, beaded, irma = rng.random(3) < (0.8, 0.5, 0.5)
    if not (many or beaded or irma):
        many = True
    marks = _microaneurysms(int(rng.integers(12, 25)), anatomy, rng)
    for quadrant in range(4):
        count = int(rng.integers(21, 29)) if many else int(rng.integers(9, 19))
        marks += _haemorrhages(places(count, anatomy, rng, quadrant), anatomy, rng)
    if irma:
        for at in places(int(rng.integers(2, 6)), anatomy, rng):
            marks += tangle("fine", at, 0.022, rng, loops=2, strength=0.7)
    if rng.random() < 0.6:
        marks += _exudates(int(rng.integers(1, 5)), anatomy, rng)
    if rng.random() < 0.6:
        marks += _cotton_wool(int(rng.integers(2, 6)), anatomy, rng)
    return marks, bool(beaded)


def _proliferative(anatomy: Anatomy, rng: Generator) -> tuple[list[Mark], bool]:
    """New vessels or the bleeding they cause, over whatever background there was; often lasered."""
    at_disc, elsewhere, preretinal, vitreous = rng.random(4) < (0.55, 0.6, 0.4, 0.2)
    if not (at_disc or elsewhere or preretinal or vitreous):
        at_disc = True
    marks = _laser(anatomy, rng) if rng.random() < 0.55 else []
    marks += _microaneurysms(int(rng.integers(5, 18)), anatomy, rng)
    marks += _haemorrhages(places(int(rng.integers(8, 45)), anatomy, rng), anatomy, rng)
    if rng.random() < 0.4:
        marks += _exudates(int(rng.integers(1, 4)), anatomy, rng)
    if at_disc:
        marks += tangle("fine", anatomy.disc + rng.normal(0, 0.012, 2), 0.055, rng, loops=11)
    if elsewhere:
        for at in places(int(rng.integers(1, 4)), anatomy, rng):
            marks += tangle("fine", at, 0.042, rng, loops=8)
    if preretinal:
        marks += _preretinal(anatomy, rng)
    if vitreous:
        marks += _vitreous(rng)
    return marks, bool(rng.random() < 0.4)


def places(count: int, anatomy: Anatomy, rng: Generator, quadrant: int | None = None) -> Points:
    """Random places on the visible retina away from disc and fovea centre; (count, 2)."""
    found = np.empty((0, 2))
    while len(found) < count:
        n = 2 * count + 8
        angle = rng.uniform(0, 2 * np.pi, n) if quadrant is None else (quadrant + rng.random(n)) * np.pi / 2
        at = CENTRE + 0.5 * np.sqrt(rng.random(n))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        inside = (np.hypot(*at.T) < REACH) & (np.abs(at[:, 1]) < HALF_HEIGHT)
        free = np.hypot(*(at - anatomy.disc).T) > 1.25 * anatomy.disc_radius
        clear = np.hypot(*(at - anatomy.fovea).T) > 0.025
        found = np.concatenate([found, at[inside & free & clear]])
    return found[:count]


def _microaneurysms(count: int, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    near = anatomy.fovea + rng.normal(0, 0.16, (4 * count + 20, 2))
    free = np.hypot(*(near - anatomy.disc).T) > 1.2 * anatomy.disc_radius
    seen = (np.hypot(*near.T) < REACH) & (np.abs(near[:, 1]) < HALF_HEIGHT)
    return [
        blob("blood", at, rng.uniform(0.0065, 0.0095), rng, strength=rng.uniform(0.65, 0.9), roughness=0.08)
        for at in near[free & seen][:count]
    ]


def _haemorrhages(at: Points, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Dots and blots, and a fifth of them flames that lie along the nerve fibres, which radiate from the disc."""
    marks = []
    for place in at:
        strength = rng.uniform(0.7, 1.0)
        if rng.random() < 0.2:
            towards = place - anatomy.disc
            angle = np.arctan2(towards[1], towards[0]) + rng.normal(0, 0.15)
            for _ in range(3):
                shifted = place + rng.normal(0, 0.005, 2)
                marks.append(
                    blob(
                        "blood",
                        shifted,
                        rng.uniform(0.004, 0.006),
                        rng,
                        strength=strength,
                        stretch=rng.uniform(3, 5),
                        angle=angle,
                    )
                )
        else:
            radius = float(np.clip(rng.lognormal(np.log(0.0105), 0.4), 0.007, 0.026))
            marks.append(blob("blood", place, radius, rng, strength=strength, roughness=0.22))
    return marks


def _exudates(clusters: int, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Hard exudates: clusters or rings of small sharp yellow deposits, off the macula's centre."""
    at = places(6 * clusters, anatomy, rng)
    away = at[np.hypot(*(at - anatomy.fovea).T) > 0.14][:clusters]
    marks = []
    for place in away:
        count = int(rng.integers(8, 26))
        spots = (
            ring(rng, count, place, 0.035, 0.008) if rng.random() < 0.4 else scatter(rng, count, place, 0.02)
        )
        marks += _deposits(spots, rng)
    return marks


def _deposits(spots: Points, rng: Generator) -> list[Mark]:
    return [
        blob("exudate", spot, rng.uniform(0.003, 0.0085), rng, strength=rng.uniform(0.7, 1.0), roughness=0.25)
        for spot in spots
    ]


def _edema(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Thickening of the macula; with retinopathy usually exudates around its centre as well."""
    offset = rng.normal(0, 0.015, 2)
    marks = [
        blob("swelling", anatomy.fovea + offset, rng.uniform(0.07, 0.10), rng, strength=rng.uniform(0.6, 1))
    ]
    if eye.icdr >= 1 and rng.random() < 0.85:
        count = int(rng.integers(14, 40))
        marks += _deposits(ring(rng, count, anatomy.fovea + offset, rng.uniform(0.045, 0.08), 0.014), rng)
    return marks


def _cotton_wool(count: int, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    at = places(8 * count, anatomy, rng)
    near_arcades = at[np.hypot(*(at - anatomy.disc).T) < 0.34][:count]
    return [
        blob(
            "fluff",
            place,
            rng.uniform(0.013, 0.02),
            rng,
            strength=rng.uniform(0.7, 1),
            roughness=0.25,
            stretch=rng.uniform(1.1, 1.8),
            angle=rng.uniform(0, np.pi),
        )
        for place in near_arcades
    ]


def _laser(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Panretinal photocoagulation: rows of pale burns outside the arcades, some pigmented."""
    grid = np.mgrid[-0.46:0.47:0.052, -0.40:0.41:0.052].reshape(2, -1).T
    grid = grid + rng.normal(0, 0.011, grid.shape)
    outside = np.hypot(*((grid - CENTRE - [-0.06, 0]) / [1.25, 1.0]).T) > rng.uniform(0.24, 0.29)
    inside = (np.hypot(*grid.T) < REACH + 0.02) & (rng.random(len(grid)) < rng.uniform(0.6, 0.95))
    clear = np.hypot(*(grid - anatomy.disc).T) > 1.7 * anatomy.disc_radius
    marks = []
    for at in grid[outside & inside & clear]:
        size = rng.uniform(0.010, 0.017)
        marks.append(blob("pale", at, size, rng, strength=rng.uniform(0.5, 0.95), roughness=0.12))
        if rng.random() < 0.4:
            marks.append(blob("pigment", at + rng.normal(0, 0.003, 2), size * 0.5, rng, strength=0.8))
    return marks


def _preretinal(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """A boat of blood with a level top, since it settles in front of the retina."""
    at = np.array([rng.uniform(-0.25, 0.22), rng.uniform(0.12, 0.26) * (1 if rng.random() < 0.75 else -1)])
    length, depth = rng.uniform(0.07, 0.13), rng.uniform(0.045, 0.085)
    angle = np.linspace(0, np.pi, 16)
    hull = np.stack([length * np.cos(angle), depth * np.sin(angle) ** 0.8], axis=1)
    return [Mark("blood", at + hull + rng.normal(0, 0.003, hull.shape), 1.0)]


def _vitreous(rng: Generator) -> list[Mark]:
    """Blood in the vitreous: dark veils without an edge, mostly below."""
    return [
        blob(
            "haze",
            np.array([rng.uniform(-0.25, 0.25), rng.uniform(-0.05, 0.3)]),
            rng.uniform(0.05, 0.12),
            rng,
            strength=rng.uniform(0.6, 1.0),
            stretch=rng.uniform(1.2, 2.2),
            angle=rng.uniform(-0.6, 0.6),
        )
        for _ in range(int(rng.integers(3, 7)))
    ]
