from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from client.adapters import Loaded, load
from client.adapters.mapping import read_mapping
from client.adapters.nested import AMBIGUOUS
from shared_model.errors import ConfigError, DataError

Write = Callable[..., Path]
Row = Mapping[str, str]
BASE = {"file": "export.csv", "columns": {"image": "Image"}}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A folder with a table of these rows (their keys are the header) and photographs."""

    def make(
        rows: Sequence[Row],
        *,
        name: str = "export.csv",
        delimiter: str = ",",
        photographs: Sequence[str] = ("1.jpg", "2.jpg", "3.jpg"),
    ) -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / name).write_text(text.getvalue(), encoding="utf-8", newline="")
        for number, photograph in enumerate(photographs):
            path = tmp_path / photograph
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number, 40, 40)).save(path)
        return tmp_path

    return make


def options(columns: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"file": "export.csv", **more, "columns": {"image": "Image", **(columns or {})}}


def one(write: Write, cells: Row, columns: Mapping[str, Any], **more: Any) -> tuple[pd.Series, Loaded]:
    loaded = load(write([{"Image": "1.jpg", **cells}]), "table", options=options(columns, **more))
    assert len(loaded.table) == 1
    return loaded.table.iloc[0], loaded


def test_the_real_photographs_are_read_through_their_own_table(idrid: Path) -> None:
    loaded = load(
        idrid,
        "table",
        options={
            "file": "idrid_grades.csv",
            "images": "fundus_photos",
            "columns": {
                "image": "Image name",
                "icdr": "Retinopathy grade",
                "split": "official_split",
                "findings": {"macular_edema": "Risk of macular edema"},
            },
            "codes": {"macular_edema": {"0": "no", "1": "yes", "2": "yes"}},
        },
    )
    table = loaded.table
    assert (len(table), len(loaded.quarantine), len(loaded.unread), loaded.unclaimed) == (516, 0, 0, ())
    assert table["icdr"].value_counts().sort_index().tolist() == [168, 25, 168, 93, 62]
    assert table["finding_macular_edema"].value_counts().to_dict() == {1.0: 294, 0.0: 222}
    assert table["split"].value_counts().to_dict() == {"train": 413, "test": 103}
    assert table["patient_id"].nunique() == 516
    assert any("every photograph counts as a patient" in notice for notice in loaded.notices)


def test_the_template_is_a_mapping_that_can_be_used() -> None:
    text = files("client.adapters").joinpath("table_example.toml").read_text(encoding="utf-8")
    mapping = read_mapping(tomllib.loads(text)["data"]["table"])
    assert mapping.columns.note == ("History", "Report")
    wide, _, eyes = text.partition("# [[data.table.eyes]]")
    own = ("image =", "eye =", "# record =")
    shared = "\n".join(line for line in wide.splitlines() if not line.startswith(own))
    uncommented = "\n".join(line.removeprefix("#") for line in f"# [[data.table.eyes]]{eyes}".splitlines())
    mapping = read_mapping(tomllib.loads(f"{shared}\n{uncommented}")["data"]["table"])
    assert [view.eye for view in mapping.eyes] == ["right", "left"]


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


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"G": "7"}, "G", "the grade is outside 0 to 4"),
        ({"G": "bad"}, "G", "the grade is not a whole number from 0 to 4"),
        ({"Image": ""}, "Image", "missing"),
        ({"Image": "9.jpg"}, "Image", "the photograph is absent"),
        ({"Image": "../1.jpg"}, "Image", "the photograph is absent"),
        ({"Image": "1"}, "Image", "the photograph is already named in line 2"),
        ({"P": "NA"}, "P", "missing"),
        ({"R": "r1"}, "R", "the record is already in line 2"),
        ({"S": "sometimes"}, "S", "the split is not a code of this column"),
        ({"P": "p1", "S": "test"}, "S", "the patient is in another split in line 2"),
    ],
)
def test_a_row_in_doubt_is_set_aside_with_its_line(write: Write, row: Row, column: str, reason: str) -> None:
    first = {"Image": "1.jpg", "P": "p1", "R": "r1", "G": "0", "S": "train"}
    second = {"Image": "2.jpg", "P": "p2", "R": "r2", "G": "1", "S": "train", **row}
    mapped = options({"patient": "P", "record": "R", "icdr": "G", "split": "S"})
    loaded = load(write([first, second]), "table", options=mapped)
    assert loaded.quarantine[["row", "column", "reason"]].to_numpy().tolist() == [[3, column, reason]]
    assert loaded.table["record_id"].tolist() == ["r1"]


def test_codes_of_a_grade_that_do_not_fit_set_the_row_aside(write: Write) -> None:
    rows = [{"Image": "1.jpg", "G": "a"}, {"Image": "2.jpg", "G": "c"}]
    loaded = load(write(rows), "table", options=options({"icdr": "G"}, codes={"icdr": {"a": 0}}))
    assert loaded.quarantine["reason"].tolist() == ["the grade is not a code of this column"]


def test_a_row_may_be_a_visit_with_a_photograph_of_each_eye(write: Write) -> None:
    rows = [
        {
            "P": "p1",
            "D": "2020-01-01",
            "A": "60",
            "OD": "1.jpg",
            "OS": "2.jpg",
            "GD": "1",
            "GS": "2",
            "N": "Note.",
            "EOS": "1",
        },
        {
            "P": "p1",
            "D": "2021-01-01",
            "A": "61",
            "OD": "",
            "OS": "3",
            "GD": "",
            "GS": "0",
            "N": "",
            "EOS": "0",
        },
        {"P": "p2", "D": "2021-01-01", "A": "50", "OD": "", "OS": "", "GD": "", "GS": "", "N": "", "EOS": ""},
        {
            "P": "p3",
            "D": "2021-01-01",
            "A": "50",
            "OD": "4.jpg",
            "OS": "5.jpg",
            "GD": "9",
            "GS": "4",
            "N": "",
            "EOS": "",
        },
    ]
    folder = write(rows, photographs=[f"{n}.jpg" for n in range(1, 6)])
    loaded = load(
        folder,
        "table",
        options={
            "file": "export.csv",
            "columns": {"patient": "P", "exam_date": "D", "age": "A", "note": "N"},
            "eyes": [
                {"eye": "right", "image": "OD", "icdr": "GD"},
                {"eye": "left", "image": "OS", "icdr": "GS", "findings": {"macular_edema": "EOS"}},
            ],
        },
    )
    table = loaded.table.set_index("record_id")
    assert table.index.tolist() == ["1.jpg", "2.jpg", "3", "5.jpg"]
    assert table["eye"].tolist() == [0.0, 1.0, 1.0, 1.0]
    assert table["icdr"].tolist() == [1, 2, 0, 4]
    assert table["visit"].tolist() == ["2020-01-01", "2020-01-01", "2021-01-01", "2021-01-01"]
    assert table["note"].iloc[:2].tolist() == ["Note.", "Note."]
    assert table["finding_macular_edema"].isna().tolist() == [True, False, False, True]
    assert loaded.quarantine[["row", "record", "reason"]].to_numpy().tolist() == [
        [4, "", "missing"],
        [5, "4.jpg", "the grade is outside 0 to 4"],
    ]
    assert "1 rows name the photograph of one eye only." in loaded.notices


@pytest.mark.parametrize(
    "cell", ["a/1.jpg", "a\\1", "photos/a/1.JPG", "./a/1", "C:\\export\\photos\\a\\1.jpg"]
)
def test_folders_in_a_cell_must_be_those_of_the_photograph(write: Write, cell: str) -> None:
    folder = write([{"Image": cell}], photographs=["photos/a/1.jpg", "photos/b/1.jpg", "1.jpg"])
    loaded = load(folder, "table", options=options(images="photos"))
    assert loaded.table["image_path"].tolist() == [str(folder / "photos" / "a" / "1.jpg")]
    assert loaded.unclaimed == (str(folder / "photos" / "b" / "1.jpg"),)


def test_a_name_that_two_folders_have_is_not_guessed(write: Write) -> None:
    rows = [{"Image": "1.jpg"}, {"Image": "c/1.jpg"}, {"Image": "2.jpg"}]
    folder = write(rows, photographs=["photos/a/1.jpg", "photos/b/1.jpg", "photos/2.jpg"])
    loaded = load(folder, "table", options=options(images="photos"))
    assert loaded.quarantine["reason"].tolist() == [AMBIGUOUS, "the photograph is absent"]
    assert loaded.table["record_id"].tolist() == ["2.jpg"]


def test_names_only_ignores_folders_of_another_machine(write: Write) -> None:
    folder = write([{"Image": "D:\\camera\\x\\1.jpg"}], photographs=["photos/a/1.jpg"])
    with pytest.raises(DataError, match="names_only"):
        load(folder, "table", options=options(images="photos"))
    assert len(load(folder, "table", options=options(images="photos", names_only=True)).table) == 1


def test_sub_folders_can_be_left_out(write: Write) -> None:
    folder = write([{"Image": "1.jpg"}, {"Image": "2.jpg"}], photographs=["1.jpg", "a/2.jpg"])
    loaded = load(folder, "table", options=options(subfolders=False))
    assert loaded.quarantine["reason"].tolist() == ["the photograph is absent"]
    assert loaded.unclaimed == ()


def test_the_patient_may_stand_in_the_name_of_the_photograph(write: Write) -> None:
    rows = [{"Image": "12_OD.jpg"}, {"Image": "12_OS.jpg"}, {"Image": "x.jpg"}]
    folder = write(rows, photographs=[row["Image"] for row in rows])
    loaded = load(folder, "table", options=options(patient_pattern="^([0-9]+)_"))
    assert loaded.table["patient_id"].tolist() == ["12", "12"]
    assert loaded.quarantine["reason"].tolist() == ["patient_pattern finds no patient in it"]


@pytest.mark.parametrize(("delimiter", "name"), [(";", "export.csv"), ("\t", "export.tsv")])
def test_semicolons_and_tabs_are_recognised(write: Write, delimiter: str, name: str) -> None:
    folder = write([{"Image": "1.jpg", "Age": "57,5"}], delimiter=delimiter, name=name)
    assert load(folder, "table", options=options({"age": "Age"}) | {"file": name}).table["age"].tolist() == [
        57.5
    ]


def test_a_ragged_row_is_set_aside(write: Write) -> None:
    folder = write([{"Image": "1.jpg", "G": "0"}])
    (folder / "export.csv").write_text("Image,G\n1.jpg,0\n2.jpg,0,1\n3.jpg\n", encoding="utf-8")
    loaded = load(folder, "table", options=options({"icdr": "G"}))
    assert loaded.quarantine["row"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("given", "where", "says"),
    [
        ({}, "data.table.file", "missing"),
        ({"file": "export.csv", "columns": {}}, "columns.image", "which photograph"),
        ({**BASE, "colums": {}}, "data.table.colums", "no such configuration key"),
        (options({"agee": "A"}), "data.table.columns.agee", "no such configuration key"),
        (options({"age": 3}), "data.table.columns.age", "does not fit"),
        (options({"age": " "}), "data.table.columns.age", "needs a name"),
        (options({"findings": {"cataract": "C"}}), "columns.findings", "there is no such finding"),
        (options({"age": "A", "birth_date": "B"}), "columns.birth_date", "say the same"),
        (options({"birth_date": "B"}), "columns.exam_date", "needs the date of the examination"),
        (
            options(codes={"icdr": {"bad": 7}}),
            "codes.icdr",
            "'bad' means 7; use one of 0, 1, 2, 3, 4, missing",
        ),
        (options(codes={"sex": {"m": "male", "M": "female"}}), "codes.sex", "two meanings"),
        (options(codes={"age": {"old": 200}}), "codes.age", "outside 0 to 120"),
        (options(codes={"note": {"a": "b"}}), "codes.note", "no codes for this"),
        (options(units={"age": "decades"}), "units.age", "does not fit"),
        (options(date_formats=["%d/%m/%y"]), "date_formats", "four-digit year"),
        (options(date_formats=["%Q %d %m %Y"]), "date_formats", "not a date format"),
        (options(missing=["0"]), "missing", "is a grade"),
        (options(patient_pattern="("), "patient_pattern", "not a regular expression"),
        (options(patient_pattern="x"), "patient_pattern", "brackets"),
        (options({"patient": "P"}, patient_pattern="(x)"), "patient_pattern", "said twice"),
        (options({"note": "N"}, notes_from_findings=True), "notes_from_findings", "notes"),
        (options(eyes=[{"eye": "left", "image": "L"}]), "columns.image", "cannot stand"),
        (
            {"file": "export.csv", "columns": {}, "eyes": [{"eye": "left", "image": "L"}] * 2},
            "eyes",
            "same eye",
        ),
        (options() | {"file": "export.xlsx"}, "data.table.file", "Excel"),
        (options() | {"file": "absent.csv"}, "data.table.file", "does not exist"),
        (options() | {"file": "."}, "data.table.file", "not a file"),
        (options(images="absent"), "data.table.images", "does not exist"),
        (options({"age": "Alter"}), "data.table.columns.age", "no column 'Alter'"),
        (options({"note": ["Image", "Arzt"]}), "data.table.columns.note", "no column 'Arzt'"),
        (options({"findings": {"scar": "S"}}), "data.table.columns.findings", "no column 'S'"),
    ],
)
def test_a_mapping_that_cannot_be_used_names_the_key_and_the_fix(
    write: Write, given: Mapping[str, Any], where: str, says: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(write([{"Image": "1.jpg"}]), "table", options=given)
    assert where in error.value.where
    assert says in error.value.what
    assert error.value.fix


def test_a_column_that_is_not_there_is_named_with_those_that_are(write: Write) -> None:
    with pytest.raises(ConfigError) as error:
        load(write([{"Image": "1.jpg", "Age at visit": "3"}]), "table", options=options({"age": "Age"}))
    assert "image, age at visit" in error.value.fix
    assert "visit" not in error.value.what


def test_an_excel_workbook_is_refused_whatever_it_is_called(write: Write) -> None:
    folder = write([{"Image": "1.jpg"}])
    (folder / "export.csv").write_bytes(b"PK\x03\x04" + b"\x00" * 30)
    with pytest.raises(ConfigError, match="Excel workbook") as error:
        load(folder, "table", options=options())
    assert "save the sheet as CSV" in error.value.fix
