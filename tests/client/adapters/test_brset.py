"""BRSET's rows: how cells become values, and which rows are set aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.adapters import load
from shared_model.errors import DataError
from shared_model.records import COLUMNS, FINDINGS, STRUCTURED

WriteFolder = Callable[..., Path]


def only(folder: Path) -> pd.Series:
    loaded = load(folder)
    assert len(loaded.table) == 1
    return loaded.table.iloc[0]


def test_a_clean_row_is_read_as_brset_codes_it(write_folder: WriteFolder) -> None:
    record = only(write_folder([{"image_field": "2", "DR_SDRG": "2", "DR_ICDR": "1"}]))
    assert record["record_id"] == "img00001"
    assert record[list(STRUCTURED)].tolist() == [57.0, 1.0, 1.0, 10.0, 1.0, 1.0]
    assert (record["icdr"], record["sdrg"], record["image_field"]) == (1, 2, 1.0)
    assert record["camera"] == "Canon CR"
    assert Path(record["image_path"]).is_file()


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("patient_sex", "2", "sex", 0.0),
        ("patient_sex", "Feminino", "sex", 0.0),
        ("patient_sex", "male", "sex", 1.0),
        ("exam_eye", "1", "eye", 0.0),
        ("exam_eye", "right", "eye", 0.0),
        ("exam_eye", "OS", "eye", 1.0),
        ("exam_eye", "Left", "eye", 1.0),
        ("diabetes", "No", "diabetes", 0.0),
        ("diabetes_time_y", "1O", "diabetes_duration", 10.0),
        ("diabetes_time_y", "0,5", "diabetes_duration", 0.5),
        ("insuline", "no", "insulin", 0.0),
    ],
)
def test_dirty_values_are_understood(
    write_folder: WriteFolder, column: str, cell: str, field: str, value: float
) -> None:
    assert only(write_folder([{column: cell}]))[field] == value


@pytest.mark.parametrize(
    ("column", "cell", "field"),
    [
        ("patient_age", "210", "age"),
        ("patient_age", "-3", "age"),
        ("diabetes_time_y", "Não", "diabetes_duration"),
        ("exam_eye", "0", "eye"),
        ("patient_sex", "3", "sex"),
        ("image_field", "0", "image_field"),
        ("nevus", "bv", "finding_nevus"),
    ],
)
def test_an_unusable_optional_value_becomes_missing_and_is_counted(
    write_folder: WriteFolder, column: str, cell: str, field: str
) -> None:
    loaded = load(write_folder([{column: cell}, {}]))
    assert pd.isna(loaded.table[field].iloc[0])
    assert loaded.table[field].iloc[1] in (0.0, 1.0, 57.0, 10.0)
    assert loaded.quarantine.empty
    assert any(notice.startswith("1 value of ") and column in notice for notice in loaded.notices)


def test_missing_insulin_is_missing_and_never_using(write_folder: WriteFolder) -> None:
    assert pd.isna(only(write_folder([{"insuline": ""}]))["insulin"])


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"DR_ICDR": "7"}, "dr_icdr", "the grade is outside 0 to 4"),
        ({"DR_SDRG": "bad"}, "dr_sdrg", "the grade is not a whole number from 0 to 4"),
        ({"patient_id": " "}, "patient_id", "missing"),
        ({"image_id": ""}, "image_id", "missing"),
        ({"image_id": "img04414"}, "image_id", "the photograph is absent"),
        ({"image_id": "../labels_brset"}, "image_id", "the photograph is absent"),
        ({"image_id": "img00001"}, "image_id", "the photograph is already named in line 2"),
    ],
)
def test_a_row_that_cannot_be_used_is_quarantined_with_line_column_and_reason(
    write_folder: WriteFolder, row: dict[str, str], column: str, reason: str
) -> None:
    loaded = load(write_folder([{}, row, {}]))
    assert loaded.table["record_id"].tolist() == ["img00001", "img00003"]
    assert loaded.quarantine[["row", "column", "reason"]].values.tolist() == [[3, column, reason]]
    assert any("1 of 3 rows" in notice for notice in loaded.notices)


def test_a_missing_grade_is_no_bad_grade(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{"DR_ICDR": "", "DR_SDRG": ""}]))
    assert loaded.table[["icdr", "sdrg"]].isna().all(axis=None)
    assert any("no ICDR grade" in notice for notice in loaded.notices)


def test_a_row_with_a_cell_too_few_is_quarantined_and_shifts_nobody(write_folder: WriteFolder) -> None:
    folder = write_folder([{}, {}, {}])
    path = folder / "labels_brset.csv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].rsplit(",", 1)[0]
    path.write_text("\n".join([*lines[:2], "", *lines[2:]]))
    loaded = load(folder)
    assert loaded.table["record_id"].tolist() == ["img00001", "img00003"]
    assert loaded.quarantine["row"].tolist() == [4]
    assert loaded.quarantine["reason"].tolist() == ["the row has 33 cells, the header 34"]
    assert dict(loaded.lines) == {"img00001": 2, "img00003": 5}


def test_the_flag_that_contradicts_the_grade_is_kept_and_counted(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{"diabetic_retinopathy": "1"}, {"DR_ICDR": "2"}, {}]))
    assert loaded.table["icdr"].tolist() == [0, 2, 0]
    assert any(notice.startswith("In 2 rows the diabetic_retinopathy flag") for notice in loaded.notices)


def test_code_1_of_anatomy_is_normal_and_in_no_note(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{}, {"macula": "2"}, {"optic_disc": "bv"}]))
    assert loaded.table["note"].tolist() == ["No abnormality is recorded."] * 3
    assert any(notice.startswith("1 note says that no abnormality") for notice in loaded.notices)


def test_notes_are_absent_only_where_no_finding_is_recorded(write_folder: WriteFolder) -> None:
    blank = dict.fromkeys(FINDINGS, "")
    loaded = load(write_folder([blank, {**blank, "scar": "0"}, {**blank, "scar": "1"}]))
    assert loaded.table["note"].isna().tolist() == [True, False, False]
    assert loaded.table["note"].tolist()[1:] == ["No abnormality is recorded.", "Scar is present."]
    assert loaded.table["masked_note"].tolist()[1:] == ["", "Scar is present."]


def test_no_notice_repeats_a_patients_value(write_folder: WriteFolder) -> None:
    secret = {
        "patient_id": "Maria-Silva",
        "patient_age": "sixty",
        "insuline": "Maria-Silva",
        "nevus": "Maria-Silva",
    }
    loaded = load(write_folder([secret, {**secret, "DR_ICDR": "Maria-Silva"}]))
    said = " ".join([*loaded.notices, *loaded.quarantine["reason"]])
    assert "Maria" not in said
    assert "sixty" not in said


CELLS = st.sampled_from(
    ["", "0", "1", "2", "7", "yes", "Não", "1,5", "O", '"', "a,b", "\n", ";", "img00001", "é"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["patient_age", "DR_ICDR", "patient_id", "nevus"]), CELLS), max_size=6
    )
)
def test_every_row_is_a_record_or_in_quarantine(
    write_folder: WriteFolder, rows: list[dict[str, str]]
) -> None:
    loaded = load(write_folder([{}, *rows]))
    assert tuple(loaded.table.columns) == COLUMNS
    lines = [*loaded.lines.values(), *loaded.quarantine["row"].unique()]
    assert len(lines) == len(set(lines)) == len(rows) + 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_a_table_with_random_bytes_in_it_is_read_or_refused_in_words(
    write_folder: WriteFolder, position: int, noise: bytes
) -> None:
    folder = write_folder([{}, {"comorbidities": 'a "quoted", text'}, {}])
    path = folder / "labels_brset.csv"
    data = path.read_bytes()
    position %= len(data)
    path.write_bytes(data[:position] + noise + data[position + len(noise) :])
    try:
        loaded = load(folder)
    except DataError:
        return
    assert len(loaded.table) + len(loaded.quarantine) >= 1


def test_idrid_loads_whole_although_most_of_its_columns_are_blank(idrid: Path) -> None:
    loaded = load(idrid)
    table = loaded.table
    assert len(table) == 516
    assert loaded.quarantine.empty
    assert table["icdr"].value_counts().sort_index().tolist() == [168, 25, 168, 93, 62]
    assert table["sdrg"].isna().all()
    assert table[list(STRUCTURED)].isna().all(axis=None)
    assert table["note"].notna().all()
    assert set(table["masked_note"]) == {"", "Macular edema is present."}
