"""The labels follow their documented table, and the table follows BRSET."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from simulations.synthesis.labels import Patient, draw_patient
from simulations.synthesis.rates import load_rates, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "synthetic-data.md"
EYES = np.array([15_183, 158, 451, 78, 396])  # of each ICDR grade in BRSET
PUBLISHED = {
    "increased_cup_disc": 3205, "drusens": 2833, "other": 820, "macular_edema": 401, "amd": 299, "scar": 291,
    "hypertensive_retinopathy": 284, "myopic_fundus": 270, "nevus": 130, "vascular_occlusion": 101,
    "hemorrhage": 95, "retinal_detachment": 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def published() -> list[Patient]:
    return [draw_patient(1, number, load_rates("published")) for number in range(1, 8001)]


@pytest.fixture(scope="module")
def balanced() -> list[Patient]:
    return [draw_patient(1, number, load_rates("balanced")) for number in range(1, 4001)]


def documented() -> dict[str, list[float]]:
    """Every table row of the document whose name has a dot: its first five figures."""
    rows = re.findall(r"^\| (\w+\.\w+) \|((?: [\d.]+ \|){5})", DOCUMENT.read_text(encoding="utf-8"), re.M)
    return {name: [float(text) for text in cells.strip(" |").split("|")] for name, cells in rows}


def test_the_document_repeats_every_row_of_the_table() -> None:
    written = documented()
    raw = table()
    expected: dict[str, list[float]] = {}
    for section in ("grades", "diabetes", "centers", "findings", "anatomy", "sdrg", "form"):
        for name, values in raw[section].items():
            if isinstance(values, list):
                scale = 1 if name == "duration_median" else 100
                expected[f"{section}.{name}"] = [scale * value for value in values]
    assert written.keys() == expected.keys()
    for name, values in expected.items():
        assert written[name] == pytest.approx(values), name


def test_the_document_gives_the_ties_between_eyes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, tie in table()["between_eyes"].items():
        row = re.search(rf"^\| findings\.{name} \|(?: [\d.]+ \|){{5}} ([\d.]+) \|", text, re.M)
        assert row is not None
        assert float(row[1]) == tie


@pytest.mark.parametrize(("name", "total"), PUBLISHED.items())
def test_the_rates_by_grade_give_the_published_total(name: str, total: int) -> None:
    assert EYES @ load_rates("published").findings[name] == pytest.approx(total, rel=0.05, abs=1)


def test_sdrg_given_icdr_gives_the_published_sdrg_totals() -> None:
    assert EYES @ load_rates("published").sdrg == pytest.approx([15188, 280, 133, 263, 402], rel=0.02, abs=2)


def test_shares_sum_to_one() -> None:
    for mix in ("balanced", "published"):
        rates = load_rates(mix)
        assert rates.grades.sum() == pytest.approx(1)
        assert rates.center_given_grade.sum(axis=1) == pytest.approx(np.ones(5))
        assert rates.sdrg.sum(axis=1) == pytest.approx(np.ones(5))
    assert load_rates("published").grades == pytest.approx(EYES / EYES.sum(), abs=2e-4)


def test_drawn_eyes_keep_the_shares_of_the_mix(balanced: list[Patient], published: list[Patient]) -> None:
    for patients, mix in ((balanced, "balanced"), (published, "published")):
        grades = [photograph.eye.icdr for patient in patients for photograph in patient.photographs]
        drawn = np.bincount(grades, minlength=5) / len(grades)
        rates = load_rates(mix)  # type: ignore[arg-type]
        assert drawn == pytest.approx(rates.grades, abs=0.02)


def test_findings_given_grade_are_the_same_in_both_mixes(
    balanced: list[Patient], published: list[Patient]
) -> None:
    for patients, grade in ((published, 0), (balanced, 0), (balanced, 2), (balanced, 4)):
        eyes = [shot.eye for patient in patients for shot in patient.photographs if shot.eye.icdr == grade]
        for name, rates in load_rates("balanced").findings.items():
            share = np.mean([name in eye.findings for eye in eyes])
            assert share == pytest.approx(rates[grade], abs=0.04), (grade, name)


def test_published_marginals_come_out(published: list[Patient]) -> None:
    shots = [(patient, shot) for patient in published for shot in patient.photographs]

    def share(values: list[bool]) -> float:
        return float(np.mean(values))

    assert len(shots) / len(published) == pytest.approx(1.91, abs=0.03)
    assert share([patient.diabetic for patient, _ in shots]) == pytest.approx(2579 / 16266, abs=0.02)
    assert share([patient.insulin is True for patient, _ in shots]) == pytest.approx(0.055, abs=0.01)
    assert share([patient.insulin is False for patient, _ in shots]) == pytest.approx(0.051, abs=0.01)
    assert share([patient.diabetes_years is None for patient, _ in shots]) == pytest.approx(0.883, abs=0.015)
    assert share([patient.age is None for patient, _ in shots]) == pytest.approx(0.335, abs=0.015)
    assert share([bool(shot.bad) for _, shot in shots]) == pytest.approx(1986 / 16266, abs=0.015)
    for name, total in (("optic_disc", 3279), ("vessels", 807), ("macula", 4677)):
        assert share([name in shot.eye.abnormal for _, shot in shots]) == pytest.approx(
            total / 16266, abs=0.02
        )
    ages = [patient.age for patient in published if patient.age is not None]
    assert np.mean(ages) == pytest.approx(57.7, abs=1)
    assert np.std(ages) == pytest.approx(18.3, abs=1)
    years = [patient.diabetes_years for patient in published if patient.diabetes_years is not None]
    assert np.median(years) == pytest.approx(10, abs=1)
    assert np.mean(years) == pytest.approx(13.1, abs=1.2)


def test_two_eyes_of_a_patient_are_alike(balanced: list[Patient]) -> None:
    pairs = []
    for patient in balanced:
        grades = {shot.eye.side: shot.eye.icdr for shot in patient.photographs}
        if len(grades) == 2:
            pairs.append((grades["right"], grades["left"]))
    steps = Counter(abs(right - left) for right, left in pairs)
    assert steps.keys() == {0, 1}
    assert 0.75 < steps[0] / len(pairs) < 0.9


def test_some_diabetics_have_no_retinopathy_and_the_reverse(balanced: list[Patient]) -> None:
    seen = Counter((patient.diabetic, patient.photographs[0].eye.icdr > 0) for patient in balanced)
    assert min(seen.values()) > 50
    assert len(seen) == 4


def test_a_patient_does_not_depend_on_the_others() -> None:
    rates = load_rates("balanced")
    assert draw_patient(4, 77, rates) == draw_patient(4, 77, rates)
    assert draw_patient(4, 77, rates) != draw_patient(5, 77, rates)


def test_the_other_findings_do_not_nearly_determine_the_grade(balanced: list[Patient]) -> None:
    """A reader that knows each combination's mean grade among these very eyes: better than any honest one."""
    shots = [shot.eye for patient in balanced for shot in patient.photographs]
    grade = np.array([eye.icdr for eye in shots])
    combinations: dict[frozenset[str], list[int]] = {}
    keys = [eye.findings | {f"abnormal {name}" for name in eye.abnormal} for eye in shots]
    for key, value in zip(keys, grade.tolist(), strict=True):
        combinations.setdefault(key, []).append(value)
    guess = np.array([round(float(np.mean(combinations[key]))) for key in keys])
    chance = np.subtract.outer(np.arange(5), np.arange(5)) ** 2
    expected = np.bincount(grade, minlength=5) @ chance @ np.bincount(guess, minlength=5) / len(grade)
    kappa = 1 - np.sum((grade - guess) ** 2) / expected
    assert 0.2 < kappa < 0.5
