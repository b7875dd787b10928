"""The second unseen set of notes holds what its truth says, and its marks are fair. The search itself is not asked."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from shared_model.errors import ConfigError
from simulations.dirt.accuracy import check_accuracy
from simulations.dirt.noted import SECOND, notes_of, plant_second_notes
from simulations.dirt.notes_second import AT_LEAST, FIELD, HARMLESS, WITH, Note, second_notes
from simulations.dirt.people_second import KINDS
from simulations.dirt.spans import KINDS as LINES
from simulations.dirt.spans import marks_by_kind
from simulations.dirt.truth import UNCLAIMED, Item, Truth, load_truth
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE

DIGITS = {"cpf": (11, 11), "phone": (8, 14), "date_of_birth": (3, 8), "record_number": (5, 15)}


@pytest.fixture(scope="module")
def drawn() -> list[Note]:
    return [note for seed in range(8) for note in second_notes(AT_LEAST, np.random.default_rng(seed))]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A table whose photographs are there in name; nobody looks at them here."""
    folder = tmp_path / "base"
    (folder / PHOTOGRAPHS).mkdir(parents=True)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "patient_id", "exam_eye", "DR_ICDR"))
        for number in range(AT_LEAST):
            writer.writerow((f"img{number}", number // 2, 1 + number % 2, number % 5))
            (folder / PHOTOGRAPHS / f"img{number}.jpg").touch()
    return folder


def test_the_set_is_large_and_half_portuguese() -> None:
    for templates, wanted in ((WITH, 80), (HARMLESS, 60)):
        languages = [language for _, language in templates]
        assert len(set(templates)) == len(templates) >= wanted
        assert languages.count("English") == languages.count("Portuguese")
    assert all(KINDS.keys() & FIELD.findall(text) for text, _ in WITH)
    assert all({"day", "year"}.issuperset(FIELD.findall(text)) for text, _ in HARMLESS)


def test_every_template_is_used(drawn: list[Note]) -> None:
    notes = drawn[:AT_LEAST]
    assert sum(1 for note in notes if note.planted) == len(WITH) == AT_LEAST // 2
    assert {one.kind for note in notes for one in note.planted} == set(LINES)


def test_spans_hold_what_was_planted(drawn: list[Note]) -> None:
    for note in drawn:
        assert "{" not in note.text
        assert "}" not in note.text
        at = 0
        for one in note.planted:
            assert at <= one.start < one.end <= len(note.text)
            at = one.end
            value = note.text[one.start : one.end]
            assert value == value.strip()
            if one.kind in DIGITS:
                least, most = DIGITS[one.kind]
                assert least <= sum(c.isdigit() for c in value) <= most, value
            assert ("@" in value) == (one.kind == "email")
            if one.kind in ("name", "bare_name"):
                assert not any(c.isdigit() for c in value)


def test_nothing_of_an_identifier_stands_outside_its_span(drawn: list[Note]) -> None:
    for note in drawn:
        rest = list(note.text)
        for one in note.planted:
            rest[one.start : one.end] = "\0" * (one.end - one.start)
        for one in note.planted:
            value = note.text[one.start : one.end]
            for part in (value, *(word for word in value.split() if len(word) >= 4)):
                assert part not in "".join(rest), note.text


def test_capitals_and_lower_case_go_through_the_whole_note(drawn: list[Note]) -> None:
    assert sum(note.text.isupper() for note in drawn if note.planted) > 30
    assert sum(note.text.islower() for note in drawn if note.planted) > 30


def test_the_sheet_is_that_of_the_written_table(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    truth = plant_second_notes(base, folder, 5, notes=AT_LEAST)
    assert load_truth(folder) == truth
    notes = notes_of(folder)
    lines = (folder / "visits.csv").read_text(encoding="utf-8").split("\n")
    for record, (line,) in truth.lines.items():
        assert lines[line - 1].startswith(f"{record}.") or lines[line - 1].startswith(f"{record},")
    one_by_one = [item for item in truth.items if item.kind.endswith(SECOND)]
    assert {item.kind for item in one_by_one} <= set(UNCLAIMED)
    assert all(notes[i.records[0]][slice(*i.span)] == i.text[0] for i in one_by_one)
    whole = truth.of("identifier_in_note")
    assert len(whole) + len(truth.of("harmless_note")) == len(notes)
    assert sum(len(item.text) for item in whole) == len(one_by_one)


def test_marks_are_of_characters_and_a_wrong_kind_is_still_found() -> None:
    notes = {"a": "Mr Ian Webb, tel 01632 960 983, drusen", "b": "Snellen 6/9"}
    truth = Truth(
        0,
        [
            Item("name_x", "English", ("a",), text=("Ian Webb",), span=(3, 11)),
            Item("phone_x", "English", ("a",), text=("01632 960 983",), span=(17, 30)),
        ],
    )

    def marks(places: dict[str, list[tuple[str, int, int]]]) -> dict[str, tuple[int, int]]:
        said = {notes[record]: found for record, found in places.items()}
        lines = marks_by_kind(truth, notes, lambda note: said.get(note, []), "_x")
        return {line.kind: (line.found, len(line.false_alarms)) for line in lines}

    right = marks({"a": [("name", 0, 11), ("cpf", 17, 30)]})
    assert right["name_x"] == right["phone_x"] == (1, 0)
    assert right["cpf_x"] == (0, 0)
    assert right["clinical_words_x"] == (1, 0)
    assert marks({"a": [("name", 3, 6)]})["name_x"] == (0, 0)
    assert marks({"b": [("name", 0, 7)]})["name_x"] == (0, 1)
    assert marks({"a": [("phone", 17, 38)]})["clinical_words_x"] == (0, 0)


def test_a_folder_that_is_not_asked_about_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        check_accuracy(200, 0, only="holiday")
