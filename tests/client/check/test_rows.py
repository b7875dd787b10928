from __future__ import annotations

import pytest

from client.adapters import Loaded, problem_table
from client.check.rows import row_findings
from shared_model.records import build


def loaded(refused: list[tuple[int, str, str, str]], unread: list[tuple[int, str, str, str]]) -> Loaded:
    table = build({"record_id": ["a"], "patient_id": ["p"], "image_path": ["x"]})
    return Loaded(
        table, problem_table(refused), [], {"a": 2}, problem_table(unread), ("x/stray.jpg",), "labels.csv"
    )


REFUSED = {
    "the photograph is absent": "photograph_missing",
    "the photograph is already named in line 4": "photograph_named_twice",
    "the grade is outside 0 to 4": "grade_unreadable",
    "missing": "id_missing",
    "the row has 30 cells, the header 34": "row_ragged",
    "the record is already in line 4": "record_named_twice",
    "another file has the same SOPInstanceUID: file 3": "record_named_twice",
    "labels.csv, line 4, says it is the other eye": "label_of_other_eye",
    "labels.csv says two different things of it, in lines 2 and 3": "labels_contradict",
    "the patient is in another split in line 3": "split_contradicts_row",
    "the split is not a code of this column": "split_contradicts_row",
    "patient_pattern finds no patient in it": "patient_not_in_name",
    "several photographs have this name in different folders": "photograph_ambiguous",
    "not a DICOM file, whatever its name says": "photograph_of_other_kind",
    "something new": "row_unusable",
}


@pytest.mark.parametrize(("reason", "kind"), REFUSED.items())
def test_a_refused_row_is_counted_once_under_its_reason(reason: str, kind: str) -> None:
    finding, _ = row_findings(loaded([(7, "b", "column", reason), (7, "b", "column", reason)], []))
    assert (finding.kind, finding.level, finding.count) == (kind, "costs_rows", 1)
    assert finding.where == "labels.csv: column column, line 7"
    assert finding.lines == (7,)
    assert "1 rows" not in finding.what
    assert finding.what.endswith("it is set aside.")


UNREAD = {
    ("patient_age", "outside 0 to 120"): "age_out_of_range",
    ("idade", "outside 0 to 120"): "age_out_of_range",
    ("dosage", "outside 0 to 120"): "value_out_of_range",
    ("diabetes_duration", "longer than the patient's age"): "duration_longer_than_age",
    ("drusens", "neither yes nor no"): "code_unknown",
    ("exam_eye", "not a code of this column"): "code_unknown",
    ("diabetes_time_y", "not a number"): "number_unreadable",
    ("born", "not a date in one of the formats named"): "date_unreadable",
    ("x", "something new"): "value_unreadable",
}


@pytest.mark.parametrize(("value", "kind"), UNREAD.items())
def test_an_unread_value_costs_nothing_but_itself(value: tuple[str, str], kind: str) -> None:
    column, reason = value
    finding, _ = row_findings(loaded([], [(5, "a", column, reason), (9, "c", column, reason)]))
    assert (finding.kind, finding.level, finding.count) == (kind, "warning", 2)
    assert finding.where == f"labels.csv: column {column}, lines 5, 9"


def test_photographs_without_a_row_are_counted_and_not_named() -> None:
    (finding,) = row_findings(loaded([], []))
    assert (finding.kind, finding.count) == ("photograph_without_row", 1)
    assert "stray" not in finding.what + finding.where + finding.fix


def test_one_value_is_spoken_of_as_one() -> None:
    finding, one = row_findings(loaded([], [(5, "a", "patient_age", "outside 0 to 120")]))
    assert finding.what == "1 value of patient_age is impossible (outside 0 to 120); treated as missing."
    assert one.what == "1 photograph in the folder is named by no row of the table; it is not used."


def test_lines_and_records_stand_in_the_same_order() -> None:
    refused = [
        (9, "c", "icdr", "the grade is 7"),
        (4, "b", "icdr", "the grade is 8"),
        (9, "c", "icdr", "the grade is 9"),
    ]
    finding, _ = row_findings(loaded(refused, []))
    assert list(zip(finding.lines, finding.rows, strict=True)) == [(4, "b"), (9, "c")]
