"""The synthetic BRSET: complete, reproducible, dirty in the right places, and never half-written."""

from __future__ import annotations

import csv
import errno
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from client.adapters import load
from shared_model.errors import ConfigError, DataError
from shared_model.records import FINDINGS
from simulations.synthesis.camera import CAMERAS, pad
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE, Summary, synthesize
from simulations.synthesis.table import COLUMNS

HEADER = (
    "image_id patient_id camera patient_age comorbidities diabetes_time_y insuline patient_sex exam_eye diabetes "
    "nationality optic_disc vessels macula DR_SDRG DR_ICDR focus Illuminaton image_field artifacts "
    "diabetic_retinopathy macular_edema scar nevus amd vascular_occlusion hypertensive_retinopathy drusens "
    "hemorrhage retinal_detachment myopic_fundus increased_cup_disc other quality"
)


def rows_of(folder: Path, name: str = TABLE) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """One whole block of patients, so that every kind of dirt is there."""
    folder = tmp_path_factory.mktemp("synthesis") / "data"
    return synthesize(folder, patients=200, seed=3, size=50)


def test_the_table_has_the_34_columns_of_brset_in_order(summary: Summary) -> None:
    assert HEADER.split() == list(COLUMNS)
    assert len(COLUMNS) == 34
    assert (summary.folder / TABLE).read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)


def test_the_values_are_coded_as_in_brset(summary: Summary) -> None:
    rows = rows_of(summary.folder)
    seen = {name: {row[name] for row in rows} for name in COLUMNS}
    assert seen["camera"] == {"Canon CR", "NIKON NF5050"}
    assert seen["diabetes"] == {"yes", "No"}
    assert seen["insuline"] == {"", "yes", "no"}
    assert seen["patient_sex"] == seen["exam_eye"] == {"1", "2"}
    assert seen["optic_disc"] == {"1", "2", "bv"}
    assert seen["focus"] == {"0", "1", "2"}
    assert seen["DR_ICDR"] == seen["DR_SDRG"] == set("01234")
    assert seen["quality"] == {"Adequate", "Inadequate"}
    assert rows[0]["image_id"] == "img00001"
    assert [row["image_id"] for row in rows] == sorted(row["image_id"] for row in rows)


def test_every_kind_of_dirt_is_there_but_rare(summary: Summary) -> None:
    rows = rows_of(summary.folder)
    durations = [row["diabetes_time_y"] for row in rows]
    assert "Não" in durations
    assert any(re.fullmatch(r"\d+,\d+", text) for text in durations)
    assert any(re.fullmatch(r"\d+O", text) for text in durations)
    disagree = [(row["DR_ICDR"] != "0") != (row["diabetic_retinopathy"] == "1") for row in rows]
    assert sum(disagree) == 1
    absent = [row for row in rows if not (summary.folder / PHOTOGRAPHS / f"{row['image_id']}.jpg").exists()]
    assert len(absent) == 1 == summary.rows - summary.photographs


def test_blanks_are_as_frequent_as_in_brset(summary: Summary) -> None:
    rows = rows_of(summary.folder)
    for name, share in (("patient_age", 0.335), ("diabetes_time_y", 0.883), ("comorbidities", 0.506)):
        assert sum(not row[name] for row in rows) / len(rows) == pytest.approx(share, abs=0.09)


def test_the_loader_takes_it_and_quarantines_only_the_absent_photograph(summary: Summary) -> None:
    loaded = load(summary.folder)
    assert len(loaded.table) == summary.photographs
    assert len(loaded.quarantine) == summary.rows - summary.photographs
    assert loaded.table["icdr"].notna().all()
    assert set(loaded.table["center"]) == set(CAMERAS)
    assert loaded.table["note"].notna().all()
    assert {f"finding_{name}" for name in FINDINGS} <= set(loaded.table.columns)


def test_every_centre_has_every_grade_and_its_own_mix(summary: Summary, tmp_path: Path) -> None:
    centers = {row["patient_id"]: row["center"] for row in rows_of(summary.folder, "centers.csv")}
    mix = Counter((centers[row["patient_id"]], row["DR_ICDR"]) for row in rows_of(summary.folder))
    assert all(mix[center, grade] > 0 for center in CAMERAS for grade in "01234")
    share = {c: mix[c, "4"] / sum(n for (center, _), n in mix.items() if center == c) for c in CAMERAS}
    assert share["ipiranga"] > 2 * share["moema"]
    assert max(summary.centers.values()) > 1.3 * min(summary.centers.values())


def test_both_eyes_and_repeated_photographs_occur(summary: Summary) -> None:
    eyes = Counter((row["patient_id"], row["exam_eye"]) for row in rows_of(summary.folder))
    patients = Counter(patient for patient, _ in eyes)
    assert Counter(patients.values()).keys() == {1, 2}
    assert max(eyes.values()) >= 2


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    synthesize(tmp_path / "one", patients=12, seed=5, size=50, processes=1)
    synthesize(tmp_path / "two", patients=12, seed=5, size=50, processes=2)
    synthesize(tmp_path / "other", patients=12, seed=6, size=50, processes=1)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert digests(tmp_path / "one") != digests(tmp_path / "other")


def test_test_patients_follow_and_change_nothing_before_them(tmp_path: Path) -> None:
    alone = synthesize(tmp_path / "alone", patients=9, seed=2, size=50, processes=1)
    more = synthesize(tmp_path / "more", patients=9, test_patients=4, seed=2, size=50, processes=1)
    rows, longer = rows_of(alone.folder), rows_of(more.folder)
    assert longer[: len(rows)] == rows
    assert more.test_patients == 4
    pictures = {
        name: digest for name, digest in digests(alone.folder).items() if name.startswith(PHOTOGRAPHS)
    }
    assert pictures.items() <= digests(more.folder).items()
    split = rows_of(more.folder, "split.csv")
    assert split == [{"patient_id": str(number), "split": "test"} for number in range(10, 14)]
    assert not (alone.folder / "split.csv").exists()


def test_progress_counts_every_patient(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    synthesize(
        tmp_path / "a",
        patients=5,
        size=50,
        processes=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(number, 5) for number in range(1, 6)]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="already holds something"):
        synthesize(tmp_path, patients=2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    assert synthesize(target, patients=2, size=50, processes=1).rows == len(rows_of(target))


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "a", patients=40, size=50, processes=2, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="disk is full"):
        synthesize(tmp_path / "a", patients=4, size=50, processes=1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        synthesize(tmp_path / "file" / "data", patients=2)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [({"patients": 0}, "patients"), ({"test_patients": -1}, "test_patients"), ({"seed": -1}, "seed")],
)
def test_impossible_arguments_are_named(tmp_path: Path, arguments: dict[str, int], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        synthesize(tmp_path / "a", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_mix_of_grades_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="even"):
        synthesize(tmp_path / "a", grades="even")  # type: ignore[arg-type]


@pytest.mark.parametrize("spare", [4, 5, 1000, 65_536, 65_537, 65_538, 65_540, 140_000])
def test_padding_reaches_the_size_and_keeps_the_picture(tmp_path: Path, spare: int) -> None:
    Image.new("RGB", (40, 30), (200, 100, 30)).save(tmp_path / "a.jpg", quality=90)
    jpeg = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(pad(jpeg, len(jpeg) + spare))
    assert (tmp_path / "b.jpg").stat().st_size == len(jpeg) + spare
    with Image.open(tmp_path / "a.jpg") as before, Image.open(tmp_path / "b.jpg") as after:
        assert before.tobytes() == after.tobytes()
