"""Everything in an eye that is not diabetic: drusen, naevus, scar and the rest, one small function a finding.

Some of it resembles retinopathy (drusen and exudates; an occluded vein and haemorrhages), as in life: a model
that only looks for yellow or red will be wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulations.synthesis.anatomy import Anatomy
from simulations.synthesis.labels import Eye, Generator
from simulations.synthesis.lesions import places
from simulations.synthesis.marks import Mark, blob, ring, scatter


def draw_findings(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """The marks of every finding of this eye, in a fixed order."""
    return [mark for name, draw in DRAW.items() if name in eye.findings for mark in draw(anatomy, rng)]


def _drusen(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    spots = scatter(rng, int(rng.integers(12, 45)), anatomy.fovea, rng.uniform(0.06, 0.10))
    return [
        blob("drusen", at, rng.uniform(0.004, 0.011), rng, strength=rng.uniform(0.45, 0.85), roughness=0.1)
        for at in spots
    ]


def _amd(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Geographic atrophy with clumped pigment, or a subretinal bleed with a grey membrane."""
    marks = _drusen(anatomy, rng)
    at = anatomy.fovea + rng.normal(0, 0.012, 2)
    if rng.random() < 0.7:
        marks.append(blob("pale", at, rng.uniform(0.05, 0.085), rng, strength=0.75, roughness=0.2))
        marks += [blob("pigment", p, 0.008, rng, strength=0.7) for p in ring(rng, 9, at, 0.07, 0.012)]
    else:
        marks.append(blob("swelling", at, 0.08, rng, strength=0.9))
        marks.append(blob("blood", at + rng.normal(0, 0.02, 2), rng.uniform(0.03, 0.05), rng, strength=0.7))
    return marks


def _nevus(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    at = places(1, anatomy, rng)[0]
    return [blob("pigment", at, rng.uniform(0.03, 0.06), rng, strength=0.45, roughness=0.08)]


def _scar(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """An old chorioretinal scar: white atrophy with a heavily pigmented edge."""
    at = places(1, anatomy, rng)[0]
    size = rng.uniform(0.035, 0.07)
    marks = [blob("pale", at, size, rng, roughness=0.2)]
    marks += [
        blob("pigment", p, rng.uniform(0.008, 0.018), rng, strength=0.9)
        for p in ring(rng, 12, at, size, 0.01)
    ]
    return marks


def _occlusion(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """A branch vein occlusion: flames and cotton wool crowded into one sector."""
    quadrant = int(rng.integers(0, 4))
    marks = []
    for at in places(int(rng.integers(35, 60)), anatomy, rng, quadrant):
        away = at - anatomy.disc
        angle = float(np.arctan2(away[1], away[0])) + rng.normal(0, 0.1)
        marks.append(
            blob(
                "blood",
                at,
                rng.uniform(0.005, 0.009),
                rng,
                strength=0.8,
                stretch=rng.uniform(2, 4),
                angle=angle,
            )
        )
    marks += [blob("fluff", at, 0.016, rng) for at in places(3, anatomy, rng, quadrant)]
    return marks


def _hypertensive(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Beside the narrowed arteries (anatomy.py): now and then cotton wool or a flame near the disc."""
    near = anatomy.disc + rng.normal(0, 0.11, (8, 2))
    near = near[np.hypot(*(near - anatomy.disc).T) > 1.4 * anatomy.disc_radius]
    near = near[(np.hypot(*near.T) < 0.42)][: int(rng.integers(0, 4))]
    return [
        blob("fluff", at, 0.014, rng, strength=0.8)
        if rng.random() < 0.5
        else blob("blood", at, 0.005, rng, stretch=4, angle=float(np.arctan2(*(at - anatomy.disc)[::-1])))
        for at in near
    ]


def _haemorrhage(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """A bleed of another cause: a single large one, or one splinter at the disc's edge."""
    if rng.random() < 0.5:
        at = places(1, anatomy, rng)[0]
        return [blob("blood", at, rng.uniform(0.03, 0.05), rng, strength=0.9)]
    angle = rng.uniform(0, 2 * np.pi)
    at = anatomy.disc + 1.15 * anatomy.disc_radius * np.array([np.cos(angle), np.sin(angle)])
    return [blob("blood", at, 0.008, rng, stretch=3.5, angle=angle)]


def _detachment(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """A grey billowing sheet from the periphery."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    at = np.array([rng.uniform(-0.3, 0.1), side * 0.30])
    return [
        blob("swelling", at + rng.normal(0, 0.03, 2), rng.uniform(0.10, 0.16), rng, stretch=1.8)
        for _ in range(3)
    ]


def _myopic(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """A pale crescent on the temporal side of the disc; the tessellated fundus is anatomy's."""
    at = anatomy.disc - [anatomy.disc_radius * rng.uniform(0.35, 0.6), 0.0]
    marks = [
        blob("pale", at, anatomy.disc_radius * rng.uniform(1.05, 1.35), rng, strength=0.9, roughness=0.05)
    ]
    marks += [blob("pale", p, rng.uniform(0.012, 0.03), rng, strength=0.6) for p in places(2, anatomy, rng)]
    return marks


def _other(anatomy: Anatomy, rng: Generator) -> list[Mark]:
    """Whatever has no column: a grey epiretinal sheen, an asteroid body, a patch of bare pigment."""
    kind = rng.integers(0, 3)
    if kind == 0:
        return [blob("swelling", anatomy.fovea + rng.normal(0, 0.03, 2), 0.06, rng, strength=0.6)]
    if kind == 1:
        return [blob("fluff", at, rng.uniform(0.003, 0.006), rng) for at in places(20, anatomy, rng)]
    return [
        blob("pigment", at, rng.uniform(0.006, 0.02), rng, strength=0.7) for at in places(3, anatomy, rng)
    ]


DRAW: dict[str, Callable[[Anatomy, Generator], list[Mark]]] = {
    "myopic_fundus": _myopic,
    "drusens": _drusen,
    "amd": _amd,
    "nevus": _nevus,
    "scar": _scar,
    "vascular_occlusion": _occlusion,
    "hypertensive_retinopathy": _hypertensive,
    "hemorrhage": _haemorrhage,
    "retinal_detachment": _detachment,
    "other": _other,
}
