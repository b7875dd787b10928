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
from simulations.synthesis.marks import Marks, blobs, ring, scatter


def draw_findings(eye: Eye, anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """The marks of every finding of this eye, in a fixed order."""
    return [marks for name, draw in DRAW.items() if name in eye.findings for marks in draw(anatomy, rng)]


def _drusen(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    n = int(rng.integers(12, 45))
    at = scatter(rng, n, anatomy.fovea, rng.uniform(0.06, 0.10))
    radius, strength = rng.uniform(0.004, 0.011, n), rng.uniform(0.45, 0.85, n)
    return [blobs("drusen", at, radius, rng, strength=strength, roughness=0.06)]


def _amd(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Geographic atrophy with clumped pigment, or a subretinal bleed with a grey membrane."""
    marks = _drusen(anatomy, rng)
    at = scatter(rng, 1, anatomy.fovea, 0.012)
    if rng.random() < 0.7:
        marks.append(blobs("pale", at, rng.uniform(0.05, 0.085), rng, strength=0.75))
        marks.append(blobs("pigment", ring(rng, 9, at[0], 0.07, 0.012), 0.008, rng, strength=0.6))
    else:
        marks.append(blobs("swelling", at, 0.08, rng, strength=0.9))
        marks.append(blobs("blood", scatter(rng, 1, at[0], 0.02), rng.uniform(0.03, 0.05), rng, strength=0.7))
    return marks


def _nevus(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    at = places(1, anatomy, rng)
    return [blobs("pigment", at, rng.uniform(0.03, 0.06), rng, strength=0.45, roughness=0.05)]


def _scar(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """An old chorioretinal scar: white atrophy with a heavily pigmented edge."""
    at = places(1, anatomy, rng)
    size = rng.uniform(0.035, 0.07)
    edge = ring(rng, 14, at[0], size, 0.01)
    clumps = rng.uniform(0.006, 0.016, len(edge))
    return [blobs("pale", at, size, rng), blobs("pigment", edge, clumps, rng, strength=0.75)]


def _occlusion(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """A branch vein occlusion: flames and cotton wool crowded into one sector."""
    quadrant, n = int(rng.integers(0, 4)), int(rng.integers(35, 60))
    at = places(n, anatomy, rng, quadrant)
    away = at - anatomy.disc
    angle = np.arctan2(away[:, 1], away[:, 0]) + rng.normal(0, 0.1, n)
    size, stretch = rng.uniform(0.005, 0.009, n), rng.uniform(2, 4, n)
    return [
        blobs("blood", at, size, rng, strength=0.75, stretch=stretch, angle=angle),
        blobs("fluff", places(3, anatomy, rng, quadrant), 0.016, rng),
    ]


def _hypertensive(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Beside the narrowed arteries (anatomy.py): now and then cotton wool or a flame near the disc."""
    near = scatter(rng, 10, anatomy.disc, 0.11)
    away = near - anatomy.disc
    free = (np.hypot(*away.T) > 1.4 * anatomy.disc_radius) & (np.hypot(*near.T) < 0.42)
    soft, flames = near[free][: int(rng.integers(0, 3))], near[free][3 : 3 + int(rng.integers(0, 2))]
    along = np.arctan2(*(flames - anatomy.disc).T[::-1])
    return [
        blobs("fluff", soft, 0.014, rng, strength=0.8),
        blobs("blood", flames, 0.005, rng, strength=0.8, stretch=4, angle=along),
    ]


def _haemorrhage(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """A bleed of another cause: a single large one, or one splinter at the disc's edge."""
    if rng.random() < 0.5:
        return [blobs("blood", places(1, anatomy, rng), rng.uniform(0.03, 0.05), rng, strength=0.9)]
    at = ring(rng, 1, anatomy.disc, 1.15 * anatomy.disc_radius, 0.0)
    return [blobs("blood", at, 0.008, rng, stretch=3.5, angle=np.arctan2(*(at - anatomy.disc).T[::-1]))]


def _detachment(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """A grey billowing sheet from the periphery."""
    at = np.array([rng.uniform(-0.3, 0.1), 0.30 if rng.random() < 0.5 else -0.30])
    return [blobs("swelling", scatter(rng, 3, at, 0.03), rng.uniform(0.10, 0.16, 3), rng, stretch=1.8)]


def _myopic(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """A pale crescent on the temporal side of the disc; the tessellated fundus is the camera view's."""
    at = anatomy.disc[None] - [anatomy.disc_radius * rng.uniform(0.35, 0.6), 0.0]
    crescent = blobs(
        "pale", at, anatomy.disc_radius * rng.uniform(1.05, 1.3), rng, strength=0.8, roughness=0.03
    )
    return [crescent, blobs("pale", places(2, anatomy, rng), rng.uniform(0.012, 0.03, 2), rng, strength=0.6)]


def _other(anatomy: Anatomy, rng: Generator) -> list[Marks]:
    """Whatever has no column: a grey epiretinal sheen, asteroid bodies, patches of bare pigment."""
    kind = rng.integers(0, 3)
    if kind == 0:
        return [blobs("swelling", scatter(rng, 1, anatomy.fovea, 0.03), 0.06, rng, strength=0.6)]
    if kind == 1:
        return [blobs("fluff", places(20, anatomy, rng), rng.uniform(0.003, 0.006, 20), rng)]
    return [blobs("pigment", places(3, anatomy, rng), rng.uniform(0.006, 0.02, 3), rng, strength=0.6)]


DRAW: dict[str, Callable[[Anatomy, Generator], list[Marks]]] = {
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
