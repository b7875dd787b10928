"""Which rows become records, one or two of each, and which are set aside with their line."""

from __future__ import annotations

import pytest

from client.adapters import load
from tests.client.adapters.table.mapped import Row, Write, options


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
    header = ("P", "D", "A", "OD", "OS", "GD", "GS", "N", "EOS")
    visits = (
        ("p1", "2020-01-01", "60", "1.jpg", "2.jpg", "1", "2", "Note.", "1"),
        ("p1", "2021-01-01", "61", "", "3", "", "0", "", "0"),
        ("p2", "2021-01-01", "50", "", "", "", "", "", ""),
        ("p3", "2021-01-01", "50", "4.jpg", "5.jpg", "9", "4", "", ""),
    )
    rows = [dict(zip(header, visit, strict=True)) for visit in visits]
    folder = write(rows, photographs=[f"{n}.jpg" for n in range(1, 6)])
    eyes = [
        {"eye": "right", "image": "OD", "icdr": "GD"},
        {"eye": "left", "image": "OS", "icdr": "GS", "findings": {"macular_edema": "EOS"}},
    ]
    columns = {"patient": "P", "exam_date": "D", "age": "A", "note": "N"}
    mapped = {"file": "export.csv", "columns": columns, "eyes": eyes}
    loaded = load(folder, "table", options=mapped)
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
    assert "1 row names the photograph of one eye only." in loaded.notices


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
