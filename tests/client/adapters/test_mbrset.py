from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from client.adapters import load
from client.adapters.notes import NO_ABNORMALITY
from shared_model.errors import DataError

HEADER = [
    "patient",
    "age",
    "sex",
    "dm_time",
    "insulin",
    "insulin_time",
    "oraltreatment_dm",
    "systemic_hypertension",
    "insurance",
    "educational_level",
    "alcohol_consumption",
    "smoking",
    "obesity",
    "vascular_disease",
    "acute_myocardial_infarction",
    "nephropathy",
    "neuropathy",
    "diabetic_foot",
    "file",
    "laterality",
    "final_artifacts",
    "final_quality",
    "final_icdr",
    "final_edema",
]
CLEAN = {"age": "61", "sex": "0", "dm_time": "12", "insulin": "1", "laterality": "right"} | {
    "final_artifacts": "no",
    "final_quality": "yes",
    "final_icdr": "0.0",
    "final_edema": "no",
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(
        rows: Sequence[Mapping[str, str]], *, table: str = "labels_mbrset.csv", images: str = "images"
    ) -> Path:
        (tmp_path / images).mkdir(exist_ok=True)
        with (tmp_path / table).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, HEADER, restval="", extrasaction="ignore")
            writer.writeheader()
            for number, row in enumerate(rows, start=1):
                writer.writerow({"patient": str(number), "file": f"{number}.1.jpg", **CLEAN, **row})
                Image.new("RGB", (8, 8), (number, 40, 40)).save(tmp_path / images / f"{number}.1.jpg")
        return tmp_path

    return make


def test_a_row_is_read_as_mbrset_codes_it(write: Write) -> None:
    table = load(
        write([{}, {"sex": "1", "laterality": "left", "final_icdr": "3.0", "final_edema": "yes"}]), "mbrset"
    ).table
    assert table["record_id"].tolist() == ["1.1.jpg", "2.1.jpg"]
    assert table["patient_id"].tolist() == ["1", "2"]
    assert table["sex"].tolist() == [0.0, 1.0]
    assert table["eye"].tolist() == [0.0, 1.0]
    assert table["diabetes_duration"].tolist() == [12.0, 12.0]
    assert table["insulin"].tolist() == [1.0, 1.0]
    assert table["icdr"].tolist() == [0, 3]
    assert table["finding_macular_edema"].tolist() == [0.0, 1.0]
    assert table["camera"].tolist() == ["Phelcom Eyer"] * 2
    assert table["visit"].isna().all()
    assert table["sdrg"].isna().all()


@pytest.mark.parametrize("images", ["images", "Images", "."])
def test_photographs_lie_under_images_or_beside_the_table(write: Write, images: str) -> None:
    assert len(load(write([{}, {}], images=images), "mbrset").table) == 2


def test_the_table_is_found_whatever_its_capitals(write: Write) -> None:
    assert len(load(write([{}], table="Labels_mBRSET.CSV"), "mbrset").table) == 1


def test_every_patient_is_diabetic_because_the_publication_says_so(write: Write) -> None:
    loaded = load(write([{}]), "mbrset")
    assert loaded.table["diabetes"].tolist() == [1.0]
    assert any("as its authors state" in notice for notice in loaded.notices)


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ({"final_icdr": "0", "final_edema": "no"}, NO_ABNORMALITY),
        ({"final_icdr": "4", "final_edema": "no"}, "Diabetic retinopathy is present."),
        (
            {"final_icdr": "2", "final_edema": "yes"},
            "Diabetic retinopathy is present. Macular edema is present.",
        ),
        ({"final_icdr": "", "final_edema": "yes"}, "Macular edema is present."),
        ({"final_icdr": "", "final_edema": "no"}, None),
        ({"final_icdr": "", "final_edema": ""}, None),
    ],
)
def test_a_note_says_what_was_recorded_and_no_more(
    write: Write, row: Mapping[str, str], note: str | None
) -> None:
    found = load(write([row]), "mbrset").table["note"].iloc[0]
    assert found == note if note else pd.isna(found)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"final_icdr": "7"}, "final_icdr", "the grade is outside 0 to 4"),
        ({"file": "9.9.jpg"}, "file", "the photograph is absent"),
        ({"file": "../images/2.1.jpg"}, "file", "the photograph is absent"),
        ({"file": "1.1"}, "file", "the photograph is already named in line 2"),
        ({"patient": ""}, "patient", "missing"),
    ],
)
def test_a_row_in_doubt_is_set_aside_with_its_line(
    write: Write, row: Mapping[str, str], column: str, reason: str
) -> None:
    loaded = load(write([{}, row]), "mbrset")
    assert loaded.quarantine[["row", "column", "reason"]].to_numpy().tolist() == [[3, column, reason]]


def test_an_unreadable_value_is_missing_and_noted(write: Write) -> None:
    loaded = load(write([{"age": "210", "laterality": "1", "sex": "2"}]), "mbrset")
    assert loaded.table[["age", "eye", "sex"]].isna().all(axis=None)
    assert sorted(loaded.unread["column"]) == ["age", "laterality", "sex"]


def test_a_photograph_that_no_row_names_is_listed(write: Write) -> None:
    folder = write([{}, {"file": "1.1.jpg"}])
    loaded = load(folder, "mbrset")
    assert loaded.unclaimed == (str(folder / "images" / "2.1.jpg"),)


def test_a_table_without_the_grade_is_refused(write: Write, tmp_path: Path) -> None:
    write([{}])
    (tmp_path / "labels_mbrset.csv").write_text("patient,file\n1,1.1.jpg\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"lacks final_icdr"):
        load(tmp_path, "mbrset")
