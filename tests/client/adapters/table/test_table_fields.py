"""How a cell becomes a value: fields, codes, units, dates, words for missing, notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from tests.client.adapters.table.mapped import Row, Write, one


@pytest.mark.parametrize(
    ("columns", "cells", "field", "value"),
    [
        ({"eye": "Side"}, {"Side": "OD"}, "eye", 0.0),
        ({"eye": " side "}, {"SIDE": "left eye"}, "eye", 1.0),
        ({"sex": "Sex"}, {"Sex": "F"}, "sex", 0.0),
        ({"age": "Age"}, {"Age": "57,5"}, "age", 57.5),
        ({"insulin": "I"}, {"I": "Sim"}, "insulin", 1.0),
        ({"icdr": "G"}, {"G": "Moderate NPDR"}, "icdr", 2),
        ({"icdr": "G"}, {"G": "2.0"}, "icdr", 2),
        ({"sdrg": "G"}, {"G": "R3"}, "sdrg", 3),
        ({"split": "S"}, {"S": "Val"}, "split", "validation"),
        ({"camera": "C"}, {"C": " Kowa "}, "camera", "Kowa"),
        ({"center": "C"}, {"C": "North"}, "center", "North"),
        ({"visit": "V"}, {"V": "2"}, "visit", "2"),
        ({"exam_date": "D"}, {"D": "2020-05-01"}, "visit", "2020-05-01"),
        ({"findings": {"scar": "S"}}, {"S": "true"}, "finding_scar", 1.0),
        ({"birth_date": "B", "exam_date": "D"}, {"B": "1960-05-02", "D": "2020-05-01"}, "age", 59.0),
        ({"birth_year": "B", "exam_date": "D"}, {"B": "1960", "D": "2020-05-01"}, "age", 60.0),
        (
            {"diagnosis_date": "B", "exam_date": "D"},
            {"B": "2010-05-01", "D": "2020-05-01"},
            "diabetes_duration",
            10.0,
        ),
        (
            {"diagnosis_year": "B", "exam_date": "D"},
            {"B": "2010", "D": "2020-05-01"},
            "diabetes_duration",
            10.0,
        ),
    ],
)
def test_a_column_is_read_as_its_field(
    write: Write, columns: Mapping[str, Any], cells: Row, field: str, value: object
) -> None:
    record, loaded = one(write, cells, columns)
    assert record[field] == value
    assert loaded.unread.empty


@pytest.mark.parametrize(
    ("field", "codes", "cell", "value"),
    [
        ("sex", {"1": "male", "2": "female"}, "2.0", 0.0),
        ("eye", {"D": "right", "E": "left"}, "e", 1.0),
        ("icdr", {"none": 0, "background": 1}, "None", 0),
        ("icdr", {"leichte NPDR": 1, "mäßige NPDR": 2}, " MÄSSIGE  npdr ", 2),
        ("diabetes", {"T1": True, "T2": True, "none": False}, "t2", 1.0),
        ("diabetes", {"9": "missing", "1": 1}, "9", None),
        ("age", {"90+": 90}, "90+", 90.0),
        ("age", {"90+": 90}, "45", 45.0),
        ("camera", {"K": "Kowa VX-10"}, "k", "Kowa VX-10"),
        ("camera", {"K": "Kowa VX-10"}, "Topcon", "Topcon"),
    ],
)
def test_codes_say_what_a_cell_means(
    write: Write, field: str, codes: Mapping[str, Any], cell: str, value: object
) -> None:
    record, loaded = one(write, {"X": cell}, {field: "X"}, codes={field: codes})
    assert record[field] == value if value is not None else pd.isna(record[field])
    assert loaded.unread.empty


def test_codes_for_all_findings_yield_to_those_of_one(write: Write) -> None:
    record, _ = one(
        write,
        {"S": "x", "N": "x"},
        {"findings": {"scar": "S", "nevus": "N"}},
        codes={"findings": {"x": "yes"}, "nevus": {"x": "no"}},
    )
    assert (record["finding_scar"], record["finding_nevus"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("columns", "cells", "more", "reason"),
    [
        ({"sex": "S"}, {"S": "1"}, {}, "not a code of this column"),
        ({"sex": "S"}, {"S": "F"}, {"codes": {"sex": {"W": "female"}}}, "not a code of this column"),
        ({"age": "A"}, {"A": "210"}, {}, "outside 0 to 120"),
        ({"exam_date": "D"}, {"D": "31/12/2019"}, {}, "not a date in one of the formats named"),
        (
            {"exam_date": "D"},
            {"D": "03/04/2019"},
            {"date_formats": ["%d/%m/%Y", "%m/%d/%Y"]},
            "two of the date formats read it differently",
        ),
        (
            {"birth_date": "B", "exam_date": "D"},
            {"B": "2021-01-01", "D": "2020-01-01"},
            {},
            "after the date of the examination",
        ),
    ],
)
def test_what_cannot_be_read_is_missing_and_noted(
    write: Write, columns: Mapping[str, Any], cells: Row, more: Mapping[str, Any], reason: str
) -> None:
    _, loaded = one(write, cells, columns, **more)
    assert loaded.unread[["row", "record", "reason"]].to_numpy().tolist() == [[2, "1.jpg", reason]]
    assert any(reason in notice for notice in loaded.notices)


@pytest.mark.parametrize(
    ("unit", "cell", "years"), [("months", "18", 1.5), ("days", "36524,25", 100.0), ("weeks", "0", 0.0)]
)
def test_units_are_turned_into_years(write: Write, unit: str, cell: str, years: float) -> None:
    record, _ = one(write, {"A": cell}, {"age": "A"}, units={"age": unit})
    assert record["age"] == pytest.approx(years)


def test_words_for_missing_are_missing_everywhere(write: Write) -> None:
    record, loaded = one(
        write, {"A": "9999", "S": "Ukendt"}, {"age": "A", "sex": "S"}, missing=["9999", "ukendt"]
    )
    assert record[["age", "sex"]].isna().all()
    assert loaded.unread.empty


def test_several_columns_of_notes_are_joined_in_the_order_of_the_mapping(write: Write) -> None:
    record, _ = one(write, {"H": "Type 2", "E": "", "R": "Drusen seen."}, {"note": ["R", "E", "H"]})
    assert record["note"] == "Drusen seen.\nType 2."
    record, _ = one(write, {"H": " Type 2 "}, {"note": "H"})
    assert record["note"] == "Type 2"


def test_notes_are_written_from_findings_only_when_asked(write: Write) -> None:
    columns = {"icdr": "G", "findings": {"macular_edema": "E"}}
    cells = {"G": "3", "E": "0"}
    assert pd.isna(one(write, cells, columns)[0]["note"])
    record, _ = one(write, cells, columns, notes_from_findings=True)
    assert record["note"] == "Diabetic retinopathy is present."
