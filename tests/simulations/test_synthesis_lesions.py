"""Each grade is drawn as ICDR defines it, and each finding leaves its mark."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.synthesis.anatomy import Anatomy, Style, draw_anatomy, draw_style
from simulations.synthesis.findings import DRAW, draw_findings
from simulations.synthesis.labels import Eye, generator
from simulations.synthesis.lesions import CENTRE, Retinopathy, draw_retinopathy
from simulations.synthesis.marks import Marks
from simulations.synthesis.rates import load_rates
from simulations.synthesis.retina import EyePicture, draw_retina
from simulations.synthesis.view import View

EYES = range(40)


def eye(icdr: int = 0, sdrg: int | None = None, *findings: str) -> Eye:
    return Eye("right", icdr, icdr if sdrg is None else sdrg, frozenset(findings), frozenset())


def drawn(which: Eye, seed: int) -> tuple[Anatomy, Retinopathy]:
    anatomy = draw_anatomy(draw_style(generator(seed, 0, 0)), which, generator(seed, 0, 1))
    return anatomy, draw_retinopathy(which, anatomy, generator(seed, 0, 2))


def centres(marks: tuple[Marks, ...], layer: str) -> np.ndarray:
    groups = [group.shapes.mean(axis=1) for group in marks if group.layer == layer and len(group.shapes)]
    return np.concatenate(groups) if groups else np.empty((0, 2))


def layers(marks: tuple[Marks, ...]) -> set[str]:
    return {group.layer for group in marks if len(group.shapes)}


@pytest.mark.parametrize("seed", EYES)
def test_grade_0_shows_no_lesion_of_diabetes(seed: int) -> None:
    assert drawn(eye(0), seed)[1] == Retinopathy((), False)


@pytest.mark.parametrize("seed", EYES)
def test_grade_1_is_microaneurysms_only(seed: int) -> None:
    _, found = drawn(eye(1), seed)
    assert layers(found.marks) == {"blood"}
    assert not found.beaded
    assert 3 <= len(centres(found.marks, "blood")) <= 9
    for group in found.marks:
        size = np.ptp(group.shapes, axis=1)
        assert size.max() < 0.024


def test_grade_2_has_more_than_microaneurysms_and_less_than_20_haemorrhages_a_quadrant() -> None:
    counts = []
    for seed in EYES:
        _, found = drawn(eye(2, 1 + seed % 3), seed)
        assert not found.beaded
        assert "fine" not in layers(found.marks)
        sizes = [np.ptp(group.shapes, axis=1).max(axis=1) for group in found.marks[1:3]]
        assert len(np.concatenate(sizes)) >= 4
        counts.append(len(found.marks[1].shapes))
    assert max(counts) < 4 * 20


def test_grade_3_meets_the_4_2_1_rule() -> None:
    for seed in EYES:
        _, found = drawn(eye(3), seed)
        away = centres(found.marks, "blood") - CENTRE
        quadrant = (np.arctan2(away[:, 1], away[:, 0]) // (np.pi / 2)).astype(int) % 4
        many = bool((np.bincount(quadrant, minlength=4) > 20).all())
        assert many or found.beaded or "fine" in layers(found.marks)
        assert "haze" not in layers(found.marks)
        assert "pale" not in layers(found.marks)


def test_grade_4_has_new_vessels_or_the_bleeding_they_cause() -> None:
    lasered = 0
    for seed in EYES:
        _, found = drawn(eye(4), seed)
        preretinal = any(
            group.layer == "blood" and np.ptp(group.shapes[..., 0], axis=-1).max() > 0.12
            for group in found.marks
            if len(group.shapes)
        )
        assert preretinal or {"fine", "haze"} & layers(found.marks)
        lasered += "pale" in layers(found.marks)
    assert 0.3 < lasered / len(EYES) < 0.8


def test_oedema_lies_at_the_macula_in_every_grade() -> None:
    for icdr in range(5):
        anatomy, found = drawn(eye(icdr, max(icdr, 1), "macular_edema"), 7)
        at = centres(found.marks, "swelling")
        assert np.hypot(*(at - anatomy.fovea).T).max() < 0.08


def test_every_finding_but_those_of_anatomy_and_oedema_is_drawn() -> None:
    names = set(load_rates("balanced").findings)
    assert names - set(DRAW) == {"macular_edema", "increased_cup_disc"}
    for name in DRAW:
        anatomy, _ = drawn(eye(0), 1)
        found = [draw_findings(eye(0, 0, name), anatomy, generator(seed, 0, 3)) for seed in range(8)]
        assert any(len(group.shapes) for marks in found for group in marks), name


def test_an_increased_cup_is_larger_and_hypertension_narrows_the_arteries() -> None:
    plain, _ = drawn(eye(0), 5)
    cupped, _ = drawn(eye(0, 0, "increased_cup_disc"), 5)
    narrow, _ = drawn(eye(0, 0, "hypertensive_retinopathy"), 5)
    assert cupped.cup_ratio > plain.cup_ratio + 0.1
    arteries, veins = ~plain.vessels[-1].vein, plain.vessels[-1].vein
    assert (narrow.vessels[-1].width[arteries] < 0.7 * plain.vessels[-1].width[arteries]).all()
    assert narrow.vessels[-1].width[veins] == pytest.approx(plain.vessels[-1].width[veins])


def test_the_two_eyes_of_a_patient_share_disc_and_arcades() -> None:
    style = draw_style(generator(3, 0, 0))
    right, left = (draw_anatomy(style, eye(0), generator(3, 0, purpose)) for purpose in (5, 6))
    other = draw_anatomy(draw_style(generator(4, 0, 0)), eye(0), generator(3, 0, 5))

    def apart(a: Anatomy, b: Anatomy) -> float:
        return float(np.abs(a.vessels[-1].courses - b.vessels[-1].courses).mean())

    assert right.disc_radius == left.disc_radius
    assert 0 < apart(right, left) < 0.5 * apart(right, other)


def plain_view(mirror: bool) -> View:
    matrix = np.diag([-200.0 if mirror else 200.0, 200.0])
    return View(240, 200, 200.0, matrix, np.array([120.0, 100.0]))


def brightest_column(style: Style, mirror: bool) -> int:
    picture = EyePicture("right", draw_anatomy(style, eye(0), generator(1, 0, 1)), (), False)
    green = draw_retina(picture, plain_view(mirror), generator(1, 0, 2))[1]
    return int(np.argmax(np.sort(green, axis=0)[-12:].mean(axis=0)))


def test_the_disc_lies_on_the_right_of_a_right_eye_and_on_the_left_of_a_left_eye() -> None:
    style = draw_style(generator(9, 0, 0))
    assert brightest_column(style, mirror=False) > 150
    assert brightest_column(style, mirror=True) < 90
