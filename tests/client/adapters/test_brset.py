from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import client.adapters
from client.adapters import adapters, load
from client.adapters.brset import TABLES
from shared_model.errors import ConfigError, DataError
from shared_model.records import COLUMNS, FINDINGS, STRUCTURED

WriteFolder = Callable[..., Path]

HEADERS = {
    "1.0.0": {"Illuminaton": "iluminaton"},
    "1.0.1": {},
    "1.0.2": {
        "Illuminaton": "illumination",
        "insuline": "insulin",
        "drusens": "drusen",
        "diabetes_time_y": "diabetes_time",
    },
    "capitals": {"image_id": " Image_ID ", "patient_id": "PATIENT_ID", "DR_ICDR": "dr_icdr"},
}


def only(folder: Path) -> pd.Series:
    loaded = load(folder)
    assert len(loaded.table) == 1
    return loaded.table.iloc[0]


@pytest.mark.parametrize("version", HEADERS)
def test_every_header_version_gives_the_same_records(write_folder: WriteFolder, version: str) -> None:
    rows = [{"drusens": "1", "diabetes_time_y": "2,5"}, {"insuline": "no", "DR_ICDR": "3"}]
    expected = load(write_folder(rows)).table
    found = load(write_folder(rows, rename=HEADERS[version])).table
    pd.testing.assert_frame_equal(found, expected)
    assert found["finding_drusens"].tolist() == [1.0, 0.0]
    assert found["diabetes_duration"].tolist() == [2.5, 10.0]
    assert found["insulin"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("table", TABLES)
def test_the_table_is_found_under_each_of_its_names(write_folder: WriteFolder, table: str) -> None:
    assert len(load(write_folder([{}], table=table)).table) == 1


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
    assert any(notice.startswith("1 values of ") and column in notice for notice in loaded.notices)


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


@pytest.mark.parametrize("missing", ["image_id", "patient_id", "DR_ICDR"])
def test_a_table_without_a_needed_column_is_refused_by_its_name(
    write_folder: WriteFolder, missing: str
) -> None:
    folder = write_folder([{}], rename={missing: "something"})
    with pytest.raises(DataError, match=f"lacks {missing}") as caught:
        load(folder)
    assert "line 1" in caught.value.where
    assert caught.value.fix


def test_other_columns_may_be_absent_altogether(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{"DR_ICDR": "2"}], header=["image_id", "patient_id", "DR_ICDR"]))
    record = loaded.table.iloc[0]
    assert record[list(STRUCTURED)].isna().all()
    assert pd.isna(record["note"])
    assert pd.isna(record["masked_note"])
    assert any("no column" in notice and "patient_age" in notice for notice in loaded.notices)


def test_a_column_named_twice_is_refused(write_folder: WriteFolder) -> None:
    with pytest.raises(DataError, match=r"same column twice.*\n.*line 1: insuline"):
        load(write_folder([{}], rename={"nationality": "insulin"}))


def test_without_a_table_the_error_lists_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels_brset\.csv, labels\.csv, label_brset\.csv"):
        load(tmp_path)


def test_a_missing_folder_and_a_missing_photograph_folder_are_named(
    tmp_path: Path, write_folder: WriteFolder
) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "nowhere")
    folder = write_folder([{}])
    with pytest.raises(DataError, match="is not a folder"):
        load(folder / "labels_brset.csv")
    shutil.rmtree(folder / "fundus_photos")
    with pytest.raises(DataError, match="no folder of photographs called fundus_photos/"):
        load(folder)


def test_a_folder_of_which_no_row_is_usable_is_refused(write_folder: WriteFolder) -> None:
    folder = write_folder([{}, {"image_id": "maria silva"}], photographs=False)
    with pytest.raises(DataError) as caught:
        load(folder)
    assert caught.value.what == "No row of the table can be used: all 2 are set aside."
    assert "fedfundus-site quarantine" in caught.value.fix
    assert "fundus_photos/" in caught.value.fix


def test_where_no_row_is_usable_the_fix_is_not_that_of_another_reason(write_folder: WriteFolder) -> None:
    with pytest.raises(DataError) as caught:
        load(write_folder([{"DR_ICDR": "maria silva"}] * 3))
    assert "fundus_photos/" not in caught.value.fix
    assert "the grade" not in str(caught.value)


@pytest.mark.parametrize("rows", [[{}, {"DR_ICDR": "9"}], []])
def test_no_usable_row_may_be_asked_for_with_its_quarantine(
    write_folder: WriteFolder, rows: list[dict[str, str]]
) -> None:
    folder = write_folder([{}])
    columns = load(folder).table.dtypes
    loaded = load(write_folder([{**row, "image_id": "none"} for row in rows]), allow_empty=True)
    assert loaded.table.empty
    assert loaded.table.dtypes.equals(columns)
    assert sorted(set(loaded.quarantine["row"])) == list(range(2, 2 + len(rows)))
    assert any(f"{len(rows)} of {len(rows)} rows" in said for said in loaded.notices) == bool(rows)


def test_an_unknown_adapter_is_refused_with_the_list_of_those_there_are(tmp_path: Path) -> None:
    assert "brset" in adapters()
    with pytest.raises(ConfigError, match="'hospital'") as caught:
        load(tmp_path, adapter="hospital")
    assert "brset" in caught.value.fix


def test_another_adapter_takes_one_file(
    write_folder: WriteFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy.py").write_text("from client.adapters.brset import read as read\n")
    monkeypatch.setattr(client.adapters, "__path__", [*client.adapters.__path__, str(tmp_path)])
    assert set(adapters()) >= {"brset", "toy"}
    assert len(load(write_folder([{}]), adapter="toy").table) == 1


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    list(itertools.product(["utf-8", "utf-8-sig", "cp1252", "utf-16"], [",", ";"])),
)
def test_spreadsheet_encodings_and_delimiters_are_recognised(
    write_folder: WriteFolder, encoding: str, delimiter: str
) -> None:
    folder = write_folder([{"diabetes": "Não", "camera": "Câmera"}], encoding=encoding, delimiter=delimiter)
    record = only(folder)
    assert record["diabetes"] == 0.0
    assert record["camera"] == "Câmera"


@pytest.mark.parametrize("name", ["img00001.JPG", "IMG00001.jpeg", "img00001.png"])
@pytest.mark.parametrize("cell", ["img00001", "img00001.jpg"])
def test_photographs_are_found_whatever_their_case_and_ending(
    write_folder: WriteFolder, name: str, cell: str
) -> None:
    folder = write_folder([{"image_id": cell}])
    (folder / "fundus_photos" / "img00001.jpg").rename(folder / "fundus_photos" / name)
    assert Path(only(folder)["image_path"]).name == name


def test_the_flag_that_contradicts_the_grade_is_kept_and_counted(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{"diabetic_retinopathy": "1"}, {"DR_ICDR": "2"}, {}]))
    assert loaded.table["icdr"].tolist() == [0, 2, 0]
    assert any(notice.startswith("In 2 rows the diabetic_retinopathy flag") for notice in loaded.notices)


def test_code_1_of_anatomy_is_normal_and_in_no_note(write_folder: WriteFolder) -> None:
    loaded = load(write_folder([{}, {"macula": "2"}, {"optic_disc": "bv"}]))
    assert loaded.table["note"].tolist() == ["No abnormality is recorded."] * 3
    assert any(notice.startswith("1 notes say that no abnormality") for notice in loaded.notices)


def test_notes_are_absent_only_where_no_finding_is_recorded(write_folder: WriteFolder) -> None:
    blank = dict.fromkeys(FINDINGS, "")
    loaded = load(write_folder([blank, {**blank, "scar": "0"}, {**blank, "scar": "1"}]))
    assert loaded.table["note"].isna().tolist() == [True, False, False]
    assert loaded.table["note"].tolist()[1:] == ["No abnormality is recorded.", "Scar is present."]
    assert loaded.table["masked_note"].tolist()[1:] == ["", "Scar is present."]


def test_the_papers_unmasked_notes_come_back_by_a_switch(write_folder: WriteFolder) -> None:
    folder = write_folder([{"diabetic_retinopathy": "1", "macular_edema": "1"}])
    masked = load(folder).table.iloc[0]
    assert masked["note"] == "Diabetic retinopathy is present. Macular edema is present."
    assert masked["masked_note"] == "Macular edema is present."
    plain = load(folder, mask_notes=False).table.iloc[0]
    assert plain["masked_note"] == plain["note"]


def test_centers_csv_names_the_centre_before_the_tables_own_column(write_folder: WriteFolder) -> None:
    folder = write_folder([{}, {}, {}], rename={"nationality": "center"})
    assert load(folder).table["center"].tolist() == ["Brazil"] * 3
    (folder / "centers.csv").write_text("patient_id,center\n1.0,Norte\n3,Sul\n")
    assert load(folder).table["center"].tolist() == ["Norte", "Brazil", "Sul"]


def test_split_csv_fixes_the_patients_it_names(write_folder: WriteFolder) -> None:
    folder = write_folder([{}, {}, {}])
    (folder / "split.csv").write_text("patient_id,split\n1,test\n2,Val\n")
    table = load(folder).table
    assert table["split"].tolist()[:2] == ["test", "validation"]
    assert pd.isna(table["split"].iloc[2])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("split.csv", "patient_id,split\n1,exam\n", "a word that is no split"),
        ("split.csv", "patient_id,split\n1,test\n1,train\n", "two values of split"),
        ("centers.csv", "patient_id,center\n1,A\n1,B\n", "two values of center"),
        ("centers.csv", "patient_id\n1\n", "lacks center"),
        ("centers.csv", "patient_id,center\n1\n", "does not name both"),
        ("centers.csv", "", "empty"),
    ],
)
def test_a_contradiction_in_the_tables_beside_is_refused(
    write_folder: WriteFolder, name: str, text: str, words: str
) -> None:
    folder = write_folder([{}])
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        load(folder)
    assert name in caught.value.where


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
