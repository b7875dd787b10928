"""Dirt is planted as it is written down, in otherwise clean rows, and marked fairly."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from shared_model.errors import ConfigError, DataError
from simulations.dirt.native import note_native_dirt
from simulations.dirt.noted import NOTED_TABLE, plant_notes
from simulations.dirt.plant import clean_site, plant
from simulations.dirt.score import Said, clean_rows_condemned, score
from simulations.dirt.site import Site
from simulations.dirt.truth import CERTAIN, HARMLESS, JUDGEMENTS, Item, Truth, load_truth
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dirt") / "clean"
    clean_site(folder, 300, 5, size=50)
    return folder


@pytest.fixture(scope="module")
def planted(clean: Path) -> Path:
    plant(clean, clean.parent / "planted", 5, photographs=300)
    return clean.parent / "planted"


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return {row["image_id"]: row for row in csv.DictReader(file)}


def photograph(folder: Path, record: str) -> Path:
    return next((folder / PHOTOGRAPHS).glob(f"{record}.*"))


def test_every_kind_is_planted(planted: Path) -> None:
    kinds = {item.kind for item in load_truth(planted).items}
    assert {*CERTAIN, *JUDGEMENTS, *HARMLESS} - kinds == {"identifier_in_note", "harmless_note"}


def test_the_same_seed_plants_the_same(clean: Path, planted: Path) -> None:
    again = plant(clean, clean.parent / "again", 5, photographs=300)
    assert again == load_truth(planted)
    for path in (planted / PHOTOGRAPHS).iterdir():
        assert path.read_bytes() == (clean.parent / "again" / PHOTOGRAPHS / path.name).read_bytes()


def test_nothing_is_planted_twice_in_a_row(planted: Path) -> None:
    truth = load_truth(planted)
    counted = Counter(record for item in truth.items for record in set(item.records) if item.planted)
    assert [record for record, count in counted.items() if count > 1] == []
    drawn = {record for item in truth.items for record in item.records if not item.planted}
    assert drawn.isdisjoint(counted)


def test_rows_and_photographs_that_the_truth_does_not_name_are_untouched(clean: Path, planted: Path) -> None:
    truth = load_truth(planted)
    spoilt = {record for item in truth.items for record in item.records}
    before, after = rows_of(clean), rows_of(planted)
    untouched = [record for record in before if record not in spoilt and record in after]
    assert len(untouched) > 100
    for record in untouched:
        assert after[record] == before[record]
        assert photograph(planted, record).read_bytes() == photograph(clean, record).read_bytes()


def test_lines_are_those_of_the_file(planted: Path) -> None:
    lines = (planted / TABLE).read_text(encoding="utf-8").splitlines()
    for record, numbers in load_truth(planted).lines.items():
        assert all(lines[number - 1].startswith(f"{record},") for number in numbers)


def test_certain_dirt_is_certain(planted: Path) -> None:
    truth, rows = load_truth(planted), rows_of(planted)
    for item in truth.of("photograph_missing"):
        assert not (planted / PHOTOGRAPHS / f"{item.records[0]}.jpg").exists()
    for kind in ("identical_same_patient", "identical_across_patients", "identical_conflicting_grades"):
        for item in truth.of(kind):
            one, other = item.records
            assert photograph(planted, one).read_bytes() == photograph(planted, other).read_bytes()
            assert (rows[one]["DR_ICDR"] != rows[other]["DR_ICDR"]) == (
                kind == "identical_conflicting_grades"
            )
    for item in truth.of("photograph_without_row"):
        assert (planted / PHOTOGRAPHS / item.files[0]).exists()
        assert Path(item.files[0]).stem not in rows


def test_pictures_that_are_judged_can_be_read(planted: Path) -> None:
    truth = load_truth(planted)
    for record in truth.records("near_duplicate", "blank", "too_dark", "not_a_fundus", "dim_but_usable"):
        with Image.open(photograph(planted, record)) as image:
            image.load()


def test_dirt_of_the_drawn_set_is_in_the_truth(clean: Path) -> None:
    site = Site.looking_at(clean, 0)
    note_native_dirt(site)
    missing = {r for r in rows_of(clean) if not (clean / PHOTOGRAPHS / f"{r}.jpg").exists()}
    assert site.truth.records("photograph_missing") == missing
    assert missing
    assert not any(item.planted for item in site.truth.items)


def test_notes_hold_what_the_truth_says(clean: Path, tmp_path: Path) -> None:
    truth = plant_notes(clean, tmp_path / "noted", 5, notes=120)
    with (tmp_path / "noted" / NOTED_TABLE).open(encoding="utf-8", newline="") as file:
        notes = {row["Picture"]: row["Report"] for row in csv.DictReader(file)}
    assert len(notes) == 120
    for item in truth.of("identifier_in_note"):
        assert item.text
        assert all(text in notes[item.records[0]] for text in item.text)
    languages = {item.sort.split()[-1] for item in truth.of("identifier_in_note")}
    assert languages == {"English", "Portuguese"}


def test_too_small_a_site_and_a_folder_that_is_taken_are_refused(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too small"):
        plant(clean, tmp_path / "a", 5, photographs=2000)
    with pytest.raises(DataError, match="exists already"):
        plant(clean, tmp_path, 5, photographs=300)


MEANS = {
    "grade_unreadable": ("bad",),
    "blank": ("blank",),
    "too_dark": ("dark",),
    "near_duplicate": ("near",),
}
TRUTH = Truth(
    0,
    [
        Item("grade_unreadable", records=("a",)),
        Item("blank", "black", ("b",), also=("too_dark",)),
        Item("blank", "white", ("c",)),
        Item("near_duplicate", "jpeg", ("d", "e")),
    ],
)
RIGHT = Said({"bad": frozenset("a"), "blank": frozenset("bc"), "near": frozenset("de")}, frozenset("a"))


def test_a_right_answer_gets_full_marks() -> None:
    scores = score(TRUTH, RIGHT, MEANS)
    assert [one.kind for one in scores] == ["grade_unreadable", "near_duplicate", "blank"]
    assert all(one.holds and one.recall == one.precision == 1.0 for one in scores)
    assert clean_rows_condemned(TRUTH, RIGHT) == ()


def test_what_is_missed_and_what_is_made_up_are_counted() -> None:
    said = replace(RIGHT, named={"bad": frozenset("az"), "blank": frozenset("c"), "dark": frozenset("b")})
    marks = {one.kind: one for one in score(TRUTH, said, MEANS)}
    assert (marks["grade_unreadable"].recall, marks["grade_unreadable"].precision) == (1.0, 0.5)
    assert marks["grade_unreadable"].false_alarms == ("z (clean)",)
    assert marks["blank"].recall == 1.0  # black may fairly be called dark
    assert marks["near_duplicate"].missed == ("d, e (jpeg)",)
    assert not marks["near_duplicate"].holds


def test_half_a_pair_finds_the_pair_and_a_stranger_in_it_is_a_false_alarm() -> None:
    said = replace(RIGHT, named={"near": frozenset("dx")})
    mark = score(TRUTH, said, MEANS, ["near_duplicate"])[0]
    assert (mark.found, mark.false_alarms) == (1, ("x (clean)",))


def test_a_judgement_or_a_clean_row_set_aside_breaks_the_claim() -> None:
    said = replace(RIGHT, quarantined=frozenset("abx"))
    assert not next(one for one in score(TRUTH, said, MEANS) if one.kind == "blank").holds
    assert clean_rows_condemned(TRUTH, said) == ("b", "x")
