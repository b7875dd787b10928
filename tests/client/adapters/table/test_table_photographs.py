"""How a row finds its photograph, and the patient in the photograph's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.adapters import load
from client.adapters.nested import AMBIGUOUS
from shared_model.errors import DataError
from tests.client.adapters.table.mapped import Write, options


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
