"""Who the synthetic patients are and what their eyes show, before anything is drawn.

A patient is drawn from a generator of its own (seed and patient number alone), so that neither the number of
processes nor the number of patients after it changes it. The findings follow the grade at the documented
rates; the two eyes are tied by a Gaussian copula, which leaves those rates exactly as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from simulations.synthesis.rates import Floats, Rates

Side = Literal["right", "left"]
Generator = np.random.Generator

# What makes a grader call a structure abnormal.
EXPLAINS = {
    "optic_disc": ("increased_cup_disc",),
    "vessels": ("hypertensive_retinopathy", "vascular_occlusion"),
    "macula": ("drusens", "amd", "macular_edema", "myopic_fundus"),
}
QUALITIES = ("focus", "illumination", "image_field", "artifacts")


@dataclass(frozen=True)
class Eye:
    """One eye: its two grades, its findings, and the structures called abnormal."""

    side: Side
    icdr: int
    sdrg: int
    findings: frozenset[str]
    abnormal: frozenset[str]


@dataclass(frozen=True)
class Photograph:
    """One photograph: which eye, and what is wrong with the photograph itself."""

    eye: Eye
    bad: frozenset[str]


@dataclass(frozen=True)
class Patient:
    """One patient as the record and the camera know them. None is a field left blank."""

    number: int  # from 1
    center: str
    male: bool
    age: int | None
    diabetic: bool
    insulin: bool | None
    diabetes_years: float | None
    photographs: tuple[Photograph, ...]


def generator(seed: int, patient: int, purpose: int) -> Generator:
    """The generator of one patient for one purpose, independent of every other."""
    return np.random.default_rng(np.random.SeedSequence((seed, patient, purpose)))


def _choice(rng: Generator, shares: Floats) -> int:
    return min(int(np.searchsorted(np.cumsum(shares), rng.random())), len(shares) - 1)


def _grades(rng: Generator, rates: Rates) -> tuple[int, int]:
    """Grades of the two eyes. The step is a Metropolis one, so both eyes keep the shares of the mix."""
    first = _choice(rng, rates.grades)
    if rng.random() < rates.other_eye_same_grade:
        return first, first
    second = first + (1 if rng.random() < 0.5 else -1)
    if not 0 <= second <= 4 or rng.random() > rates.grades[second] / rates.grades[first]:
        second = first
    return first, second


def _findings(rng: Generator, rates: Rates, grades: tuple[int, int]) -> list[frozenset[str]]:
    found: list[set[str]] = [set(), set()]
    for name, by_grade in rates.findings.items():
        tie = rates.between_eyes[name]
        latent = np.sqrt(tie) * rng.standard_normal() + np.sqrt(1 - tie) * rng.standard_normal(2)
        for eye in range(2):
            if latent[eye] < ndtri(by_grade[grades[eye]]):
                found[eye].add(name)
    return [frozenset(names) for names in found]


def _abnormal(rng: Generator, rates: Rates, grade: int, findings: frozenset[str]) -> frozenset[str]:
    names = set()
    for structure, by_grade in rates.anatomy.items():
        explained = not findings.isdisjoint(EXPLAINS[structure])
        rate = rates.anatomy_explained if explained else by_grade[grade]
        if rng.random() < rate:
            names.add(structure)
    return frozenset(names)


def _eyes(rng: Generator, rates: Rates) -> tuple[Eye, Eye]:
    grades = _grades(rng, rates)
    findings = _findings(rng, rates, grades)
    sides: tuple[Side, Side] = ("right", "left")
    right, left = (
        Eye(
            side=sides[k],
            icdr=grades[k],
            sdrg=_choice(rng, rates.sdrg[grades[k]]),
            findings=findings[k],
            abnormal=_abnormal(rng, rates, grades[k], findings[k]),
        )
        for k in range(2)
    )
    return right, left


def _photographs(rng: Generator, rates: Rates, eyes: tuple[Eye, Eye]) -> tuple[Photograph, ...]:
    """Two photographs are nearly always one of each eye; a third or fourth repeats an eye."""
    count = 1 + _choice(rng, rates.photographs)
    first = int(rng.random() < 0.5)
    order = {1: [first], 2: [0, 1], 3: [0, 1, first], 4: [0, 0, 1, 1]}[count]
    if count == 2 and rng.random() < 0.04:
        order = [first, first]
    return tuple(
        Photograph(eyes[k], frozenset(name for name in QUALITIES if rng.random() < rates.quality[name]))
        for k in sorted(order)
    )


def draw_patient(seed: int, number: int, rates: Rates) -> Patient:
    """Patient `number` (from 1) of the data set with this seed."""
    rng = generator(seed, number, 0)
    eyes = _eyes(rng, rates)
    worse = max(eye.icdr for eye in eyes)
    center = rates.centers[_choice(rng, rates.center_given_grade[eyes[0].icdr])]
    diabetic = bool(rng.random() < rates.diabetes[worse])
    age = round(float(np.interp(rng.random(), *rates.age_quantiles.T)))
    aged, timed, dosed = (bool(rng.random() < share) for share in _recorded(rates))
    years = rates.duration_median[worse] * np.exp(rates.duration_spread * rng.standard_normal())
    insulin = bool(rng.random() < rates.insulin[worse])
    return Patient(
        number=number,
        center=center,
        male=bool(rng.random() < rates.male),
        age=age if aged else None,
        diabetic=diabetic,
        insulin=insulin if diabetic and dosed else None,
        diabetes_years=float(np.clip(years, 0.5, min(60, max(age - 3, 1)))) if diabetic and timed else None,
        photographs=_photographs(rng, rates, eyes),
    )


def _recorded(rates: Rates) -> tuple[float, float, float]:
    """Chance that age, duration and insulin are filled in; the last two for a diabetic.

    Scaled so that the share of *all* rows with the field is BRSET's in either mix.
    """
    share = rates.diabetic_share
    return (
        rates.recorded["age"],
        min(1.0, rates.recorded["diabetes_time"] / share),
        min(1.0, rates.recorded["insulin"] / share),
    )
