"""What `[data.table]` may say, and how a mistake in it is named."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from client.adapters import load
from client.adapters.mapping import read_mapping
from shared_model.errors import ConfigError
from tests.client.adapters.table.mapped import BASE, Write, options


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
