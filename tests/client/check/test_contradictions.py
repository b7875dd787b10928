from __future__ import annotations

from typing import Any

import pytest

from client.adapters import Loaded, problem_table
from client.check.contradictions import contradictions
from shared_model.records import build

BASE: dict[str, Any] = {"patient_id": "p", "image_path": "x", "visit": None}


def loaded(*rows: dict[str, Any]) -> Loaded:
    full = [{"record_id": f"r{k}", **BASE, **row} for k, row in enumerate(rows)]
    names = {name for row in full for name in row}
    table = build({name: [row.get(name) for row in full] for name in names})
    return Loaded(
        table, problem_table([]), [], {f"r{k}": k + 2 for k in range(len(rows))}, source="labels.csv"
    )


def kinds(*rows: dict[str, Any]) -> set[str]:
    return {finding.kind for finding in contradictions(loaded(*rows))}


BROKEN: dict[str, list[dict[str, Any]]] = {
    "flag_against_grade": [{"icdr": 2, "finding_diabetic_retinopathy": 0.0}],
    "grades_disagree": [{"icdr": 0, "sdrg": 1}],
    "eye_graded_twice": [{"eye": 1.0, "icdr": 0}, {"eye": 1.0, "icdr": 2}, {"eye": 0.0, "icdr": 0}],
    "eye_twice": [{"eye": 1.0}, {"eye": 1.0}],
    "two_sexes": [{"sex": 1.0}, {"sex": 0.0}, {"sex": None}],
    "ages_apart": [{"age": 40.0}, {"age": 60.0}],
    "age_against_dates": [{"visit": "2015-03-01", "age": 50.0}, {"visit": "2020-03-01", "age": 45.0}],
    "insulin_without_diabetes": [{"insulin": 1.0, "diabetes": 0.0}],
}


@pytest.mark.parametrize(("kind", "rows"), BROKEN.items())
def test_a_contradiction_is_called_by_its_name_alone(kind: str, rows: list[dict[str, Any]]) -> None:
    assert kinds(*rows) == {kind}


SOUND: dict[str, list[dict[str, Any]]] = {
    "the scales differ by opinion": [{"icdr": 1, "sdrg": 0}, {"patient_id": "q", "icdr": 2, "sdrg": 3}],
    "one eye of two visits changed": [
        {"visit": "a", "eye": 1.0, "icdr": 0},
        {"visit": "b", "eye": 1.0, "icdr": 2},
    ],
    "three photographs, one eye repeated": [{"eye": 0.0}, {"eye": 0.0}, {"eye": 1.0}],
    "two visits of one eye each": [{"visit": "a", "eye": 1.0}, {"visit": "b", "eye": 1.0}],
    "two patients, one eye each": [{"eye": 1.0}, {"patient_id": "q", "eye": 1.0}],
    "an eye is not said": [{"eye": 1.0}, {"eye": None}],
    "a birthday within a visit": [{"visit": "a", "age": 40.0}, {"visit": "a", "age": 41.0}],
    "the years between visits": [{"visit": "2015-03-01", "age": 50.0}, {"visit": "2020-02-01", "age": 54.0}],
    "a patient who grew older": [{"age": 40.0}, {"age": 52.0}],
    "insulin not said": [{"insulin": None, "diabetes": 0.0}],
    "grades not said": [{"icdr": None, "sdrg": 2, "finding_diabetic_retinopathy": 1.0}],
}


@pytest.mark.parametrize("rows", SOUND.values(), ids=SOUND.keys())
def test_what_can_be_true_is_left_alone(rows: list[dict[str, Any]]) -> None:
    assert kinds(*rows) == set()


def test_a_finding_names_its_lines_and_no_patient() -> None:
    (finding,) = contradictions(loaded(*BROKEN["two_sexes"]))
    assert finding.where == "labels.csv: lines 2, 3, 4"
    assert finding.rows == ("r0", "r1", "r2")
    assert finding.what == "1 patient is recorded with two sexes (3 rows)."
