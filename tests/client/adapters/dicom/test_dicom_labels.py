"""A table of labels beside DICOM photographs: how its rows find them, and what a contradiction costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.adapters import Loaded, load
from shared_model.errors import ConfigError, DataError

Write = Callable[..., Path]


COLUMNS = {"key": "uid", "icdr": "grade", "note": "report", "diabetes": "dm", "eye": "side"}


def labelled(folder: Path, text: str, match: str = "sop_instance_uid", **columns: Any) -> Loaded:
    (folder / "labels.csv").write_text(text)
    given = {"file": "labels.csv", "match": match, "columns": {**COLUMNS, **columns}}
    return load(folder, "dicom", options={"labels": given})


def test_labels_are_joined_by_the_uid(folder: Path, write: Write) -> None:
    write("1", 1, ImageLaterality="L")
    write("2", 2)
    loaded = labelled(folder, "uid,grade,report,dm,side\n1.2.3.1,2,Few microaneurysms.,yes,\n")
    first, second = loaded.table.to_dict("records")
    assert (first["icdr"], first["note"], first["diabetes"], first["eye"]) == (
        2,
        "Few microaneurysms.",
        1.0,
        1.0,
    )
    assert loaded.table["icdr"].isna().tolist() == [False, True]
    assert second["record_id"] == "1.2.3.2"
    assert any("1 photograph has no row in the labels" in said for said in loaded.notices)


def test_the_header_is_believed_before_the_labels(folder: Path, write: Write) -> None:
    write("1", 1, PatientAge="050Y")
    write("2", 2)
    loaded = labelled(
        folder, "uid,grade,report,dm,side,years\n1.2.3.1,2,,,,60\n1.2.3.2,2,,,R,61\n", age="years"
    )
    assert loaded.table["age"].tolist() == [50.0, 61.0]
    assert loaded.table["eye"].tolist()[1] == 0.0


def test_labels_are_joined_by_the_files_name_or_path(folder: Path, write: Write) -> None:
    for number, name in enumerate(("a/IM1.dcm", "b/IM1.dcm", "b/IM2.dcm", "b/IM3")):
        write(name, number)
    text = "uid,grade,report,dm,side\na/im1.dcm,1,,,\nC:\\x\\b\\IM2.dcm,4,,,\nb\\IM1,2,,,\nIM3,3,,,\nIM1.dcm,0,,,\n"
    loaded = labelled(folder, text, "file")
    assert loaded.table["icdr"].tolist()[:2] == [1, 2]
    assert loaded.table["icdr"].tolist()[3] == 3
    assert loaded.table["icdr"].isna().tolist() == [False, False, True, False]
    assert loaded.quarantine["row"].tolist() == [4 + 3, 4 + 6]
    assert set(loaded.quarantine["reason"]) == {"the photograph is absent: none has this name alone"}


def test_labels_of_an_examination_are_joined_by_accession_number_and_eye(folder: Path, write: Write) -> None:
    write("1", 1, AccessionNumber="A1", ImageLaterality="L")
    write("2", 2, AccessionNumber="A1", ImageLaterality="R")
    write("3", 3, AccessionNumber="A1", ImageLaterality="R")
    write("4", 4, AccessionNumber="A2")
    loaded = labelled(folder, "uid,grade,report,dm,side\nA1,1,,,OS\nA1,3,,,OD\nA2,4,,,\n", "accession_number")
    assert loaded.table["icdr"].tolist() == [1, 3, 3, 4]
    assert loaded.quarantine.empty


def test_labels_that_contradict_each_other_or_the_header_cost_the_photograph(
    folder: Path, write: Write
) -> None:
    for number in range(1, 5):
        write(str(number), number, ImageLaterality="L")
    rows = ("1.2.3.1,1,,,", "1.2.3.1,2,,,", "1.2.3.2,7,,,", "1.2.3.3,2,,,R", "1.2.3.4,2,,,", "1.2.3.4,2,,,")
    text = "\n".join(("uid,grade,report,dm,side", *rows))
    loaded = labelled(folder, text)
    assert loaded.table["record_id"].tolist() == ["1.2.3.4"]
    assert loaded.quarantine["reason"].tolist() == [
        "the table of labels says two different things of it, in lines 2 and 3",
        "the grade is outside 0 to 4 (line 4 of the table of labels)",
        "line 5 of the table of labels says it is the other eye",
    ]


def test_rows_of_labels_that_fit_no_photograph_are_not_lost(folder: Path, write: Write) -> None:
    write("1", 1)
    loaded = labelled(folder, "uid,grade,report,dm,side\n1.2.3.1,1,,,\n9.9,1,,,\n,1,,,\n1.2.3.1,1\n")
    assert loaded.quarantine[["row", "record", "reason"]].values.tolist() == [
        [1 + 3, "9.9", "the photograph is absent: none has this SOPInstanceUID"],
        [1 + 4, "", "missing"],
        [1 + 5, "1.2.3.1", "the row has 2 cells, the header 5"],
    ]
    assert any("3 rows of the labels fit no photograph" in said for said in loaded.notices)


def test_a_value_of_the_labels_that_cannot_be_read_is_missing(folder: Path, write: Write) -> None:
    write("1", 1)
    loaded = labelled(folder, "uid,grade,report,dm,side\n1.2.3.1,1,,maybe,\n")
    assert loaded.unread[["row", "record", "column"]].values.tolist() == [[1, "1.2.3.1", "dm"]]


@pytest.mark.parametrize(
    ("options", "what", "where"),
    [
        ({"lables": {}}, "no such|does not exist|unknown", "data.dicom.lables"),
        (
            {"labels": {"file": "labels.csv", "columns": {}}},
            "a key is missing",
            "data.dicom.labels.columns.key",
        ),
        (
            {"labels": {"file": "x.csv", "columns": {"key": "uid"}}},
            "does not exist",
            "data.dicom.labels.file",
        ),
        ({"labels": {"file": "x.xlsx", "columns": {"key": "uid"}}}, "Excel", "data.dicom.labels.file"),
        (
            {"labels": {"file": "labels.csv", "columns": {"key": "uid", "icdr": "DR"}}},
            "no column 'dr'",
            "data.dicom.labels.columns",
        ),
        (
            {"labels": {"file": "labels.csv", "columns": {"key": "uid", "patient": "p"}}},
            "patient is not taken",
            "data.dicom.labels.columns.patient",
        ),
        (
            {"labels": {"file": "labels.csv", "columns": {"key": "uid"}, "codes": {"icdr": {"x": 9}}}},
            "code",
            "data.dicom.labels.codes",
        ),
    ],
)
def test_mistakes_in_the_section_are_named(
    folder: Path, write: Write, options: dict[str, Any], what: str, where: str
) -> None:
    write("1")
    (folder / "labels.csv").write_text("uid,grade\n1.2.3.1,1\n")
    with pytest.raises(ConfigError, match=what) as caught:
        load(folder, "dicom", options=options)
    assert where in caught.value.where


def test_an_error_about_labels_does_not_carry_the_path_of_their_table(folder: Path, write: Write) -> None:
    write("1")
    (folder / "maria_silva_1958").mkdir()
    (folder / "maria_silva_1958" / "l.csv").write_text("uid,DR\n1.2.3.1,1\n1.2.3.1,2\n")
    mapped = {"file": "maria_silva_1958/l.csv", "columns": {"key": "uid", "icdr": "DR"}}
    named = {"labels": mapped}
    with pytest.raises(DataError) as caught:
        load(folder, "dicom", options=named)
    loaded = load(folder, "dicom", options=named, allow_empty=True)
    assert "maria" not in caught.value.what
    assert "maria" not in " ".join([*loaded.quarantine["reason"], *loaded.notices])
