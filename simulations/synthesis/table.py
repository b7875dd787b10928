"""Patients as BRSET 1.0.1 writes them down: its 34 columns, its codings, and its dirt.

Every kind of dirty value known in BRSET occurs once in each block of patients, more often than in life, so
that even a small set tries the loader. Which patient has it follows from the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulations.synthesis.camera import CAMERAS
from simulations.synthesis.labels import Generator, Patient, Photograph, generator
from simulations.synthesis.rates import Rates

FINDING_COLUMNS = (
    "macular_edema", "scar", "nevus", "amd", "vascular_occlusion", "hypertensive_retinopathy", "drusens",
    "hemorrhage", "retinal_detachment", "myopic_fundus", "increased_cup_disc", "other",
)  # fmt: skip
COLUMNS = (
    "image_id", "patient_id", "camera", "patient_age", "comorbidities", "diabetes_time_y", "insuline",
    "patient_sex", "exam_eye", "diabetes", "nationality", "optic_disc", "vessels", "macula",
    "DR_SDRG", "DR_ICDR", "focus", "Illuminaton", "image_field", "artifacts", "diabetic_retinopathy",
    *FINDING_COLUMNS, "quality",
)  # fmt: skip
CONDITIONS = (
    "hypertension", "hypothyroidism", "dyslipidemia", "coronary disease", "asthma", "depression", "arthritis",
    "chronic kidney disease", "smoking", "glaucoma", "prostate cancer", "rheumatoid arthritis",
)  # fmt: skip
NOT_DIABETIC = ("hypertension", "none", "denies", "dyslipidemia", "hypothyroidism")

# One patient of every block has each of these.
DIRT = (
    "photograph absent",
    "optic disc bv",
    "focus 0",
    "flag contradicts grade",
    "duration in words",
    "duration with decimal comma",
    "duration with letter O",
)
Row = dict[str, str]


@dataclass(frozen=True)
class Record:
    """What one photograph's row says, and whether the photograph lies beside it."""

    row: Row
    absent: bool


def dirt_of(seed: int, number: int, block: int) -> frozenset[str]:
    """The kinds of dirt that patient `number` carries."""
    at, place = divmod(number - 1, block)
    order = generator(seed, 0, 1 + at).permutation(block)[: len(DIRT)]
    return frozenset(kind for kind, holder in zip(DIRT, order.tolist(), strict=True) if holder == place)


def records(patient: Patient, seed: int, rates: Rates) -> list[Record]:
    """The rows of a patient, without image_id (file numbers run over the whole set)."""
    rng = generator(seed, patient.number, 3)
    dirt = dirt_of(seed, patient.number, rates.dirt_block)
    shared = _shared(patient, dirt, rng, rates)
    rows = []
    for k, photograph in enumerate(patient.photographs):
        mine = dirt if k == 0 else frozenset()
        rows.append(Record(_row(shared, photograph, mine), "photograph absent" in mine))
    return rows


def _shared(patient: Patient, dirt: frozenset[str], rng: Generator, rates: Rates) -> Row:
    insulin = {None: "", True: "yes", False: "no"}[patient.insulin]
    known = rng.random() < rates.recorded["comorbidities"]
    return {
        "patient_id": str(patient.number),
        "camera": CAMERAS[patient.center].model,
        "patient_age": "" if patient.age is None else str(patient.age),
        "comorbidities": _comorbidities(patient, rng) if known else "",
        "diabetes_time_y": _duration(patient, dirt, rng),
        "insuline": insulin,
        "patient_sex": "1" if patient.male else "2",
        "diabetes": "yes" if patient.diabetic else "No",
        "nationality": "Brazil",
    }


def _comorbidities(patient: Patient, rng: Generator) -> str:
    if not patient.diabetic and rng.random() < 0.6:
        return str(rng.choice(NOT_DIABETIC))
    names = [str(name) for name in rng.choice(CONDITIONS, int(rng.integers(0, 3)), replace=False)]
    if patient.diabetic:
        names.insert(0, str(rng.choice(["diabetes", "diabetes1", "diabetes2"], p=[0.5, 0.35, 0.15])))
    return ", ".join(names)


def _duration(patient: Patient, dirt: frozenset[str], rng: Generator) -> str:
    """Years since diagnosis as someone typed them."""
    whole, half = int(rng.integers(1, 9)), int(rng.integers(1, 10))
    if "duration in words" in dirt:
        return "Não"
    if "duration with decimal comma" in dirt:
        return f"{whole},{half}"
    if "duration with letter O" in dirt:
        return f"{1 + whole % 3}O"
    years = patient.diabetes_years
    if years is None:
        return ""
    text = f"{years:.1f}" if years < 1 or rng.random() < 0.04 else str(round(years))
    text = text.replace(".", ",") if rng.random() < 0.5 else text
    return text.replace("0", "O") if rng.random() < 0.02 else text


def _row(shared: Row, photograph: Photograph, dirt: frozenset[str]) -> Row:
    eye = photograph.eye
    flag = (eye.icdr >= 1) != ("flag contradicts grade" in dirt)
    row = {
        **shared,
        "exam_eye": "1" if eye.side == "right" else "2",
        "optic_disc": "2" if "optic_disc" in eye.abnormal else "1",
        "vessels": "2" if "vessels" in eye.abnormal else "1",
        "macula": "2" if "macula" in eye.abnormal else "1",
        "DR_SDRG": str(eye.sdrg),
        "DR_ICDR": str(eye.icdr),
        "focus": "2" if "focus" in photograph.bad else "1",
        "Illuminaton": "2" if "illumination" in photograph.bad else "1",
        "image_field": "2" if "image_field" in photograph.bad else "1",
        "artifacts": "2" if "artifacts" in photograph.bad else "1",
        "diabetic_retinopathy": str(int(flag)),
        **{name: str(int(name in eye.findings)) for name in FINDING_COLUMNS},
        "quality": "Inadequate" if photograph.bad else "Adequate",
    }
    if "optic disc bv" in dirt:
        row["optic_disc"] = "bv"
    if "focus 0" in dirt:
        row["focus"] = "0"
    return row
