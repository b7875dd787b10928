"""BRSET's files: versions of the header, names, encodings, photographs and the tables beside."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from client.adapters import load
from client.adapters.brset import TABLES
from shared_model.errors import DataError
from shared_model.records import STRUCTURED

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


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    list(itertools.product(["utf-8", "utf-8-sig", "cp1252", "utf-16"], [",", ";"])),
)
def test_spreadsheet_encodings_and_delimiters_are_recognised(
    write_folder: WriteFolder, encoding: str, delimiter: str
) -> None:
    folder = write_folder([{"diabetes": "Não", "camera": "Câmera"}], encoding=encoding, delimiter=delimiter)
    (record,) = load(folder).table.to_dict("records")
    assert record["diabetes"] == 0.0
    assert record["camera"] == "Câmera"


@pytest.mark.parametrize("name", ["img00001.JPG", "IMG00001.jpeg", "img00001.png"])
@pytest.mark.parametrize("cell", ["img00001", "img00001.jpg"])
def test_photographs_are_found_whatever_their_case_and_ending(
    write_folder: WriteFolder, name: str, cell: str
) -> None:
    folder = write_folder([{"image_id": cell}])
    (folder / "fundus_photos" / "img00001.jpg").rename(folder / "fundus_photos" / name)
    assert [Path(path).name for path in load(folder).table["image_path"]] == [name]


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
