"""The third unseen set of notes holds what its truth says. The search for identifiers itself is not asked."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from shared_model.errors import DataError
from simulations.dirt.noted import notes_of
from simulations.dirt.noted_third import THIRD, plant_third_notes
from simulations.dirt.notes_second import Note
from simulations.dirt.notes_third import AT_LEAST, FIELD, HARMLESS, WITH, third_notes
from simulations.dirt.people_third import KINDS
from simulations.dirt.spans import KINDS as LINES
from simulations.dirt.truth import UNCLAIMED, load_truth
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE

DIGITS = {"cpf": (11, 11), "phone": (8, 15), "date_of_birth": (3, 8), "record_number": (5, 15)}


@pytest.fixture(scope="module")
def drawn() -> list[Note]:
    return [note for seed in range(8) for note in third_notes(AT_LEAST, np.random.default_rng(seed))]


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


def test_both_languages_have_templates_of_either_sort() -> None:
    for templates, wanted in ((WITH, 40), (HARMLESS, 20)):
        languages = [language for _, language in templates]
        assert len(set(templates)) == len(templates)
        assert min(languages.count("English"), languages.count("Portuguese")) >= wanted
    assert all(KINDS.keys() & set(FIELD.findall(text)) for text, _ in WITH)
    assert all({"seen", "yr"}.issuperset(FIELD.findall(text)) for text, _ in HARMLESS)


def test_every_template_and_kind_is_used(drawn: list[Note]) -> None:
    notes = drawn[:AT_LEAST]
    assert sum(1 for note in notes if note.planted) == len(WITH) == AT_LEAST // 2
    assert {one.kind for note in notes for one in note.planted} == set(LINES)
    assert {f"{kind}{THIRD}" for kind in LINES} <= set(UNCLAIMED)


def test_spans_hold_what_was_planted(drawn: list[Note]) -> None:
    for note in drawn:
        assert not set("{}") & set(note.text)
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
            assert not (one.kind.endswith("name") and any(c.isdigit() for c in value))


def test_nothing_of_an_identifier_stands_outside_the_spans(drawn: list[Note]) -> None:
    for note in drawn:
        rest = list(note.text)
        for one in note.planted:
            rest[one.start : one.end] = "\0" * (one.end - one.start)
        for one in note.planted:
            value = note.text[one.start : one.end]
            for part in (value, *(word for word in value.split() if len(word) >= 4)):
                assert part not in "".join(rest), note.text


def test_check_digits_of_every_cpf_are_right(drawn: list[Note]) -> None:
    for note in drawn:
        for one in note.planted:
            if one.kind == "cpf":
                number = [int(c) for c in note.text[one.start : one.end] if c.isdigit()]
                for length in (9, 10):
                    total = sum(d * w for d, w in zip(number, range(length + 1, 1, -1), strict=False))
                    assert number[length] == total * 10 % 11 % 10


def test_capitals_and_lower_case_go_through_the_whole_note(drawn: list[Note]) -> None:
    assert sum(note.text.isupper() for note in drawn if note.planted) > 30
    assert sum(note.text.islower() for note in drawn if note.planted) > 30


def test_the_sheet_is_that_of_the_written_table(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "third"
    truth = plant_third_notes(base, folder, 5, notes=AT_LEAST)
    assert load_truth(folder) == truth
    notes = notes_of(folder)
    lines = (folder / "visits.csv").read_text(encoding="utf-8").split("\n")
    assert len(notes) == len(truth.lines) == AT_LEAST
    assert all(lines[line - 1].startswith(f"{record},") for record, (line,) in truth.lines.items())
    one_by_one = [item for item in truth.items if item.kind.endswith(THIRD)]
    assert all(notes[i.records[0]][slice(*i.span)] == i.text[0] for i in one_by_one)
    whole = truth.of("identifier_in_note")
    assert len(whole) + len(truth.of("harmless_note")) == len(notes)
    assert sum(len(item.text) for item in whole) == len(one_by_one)


def test_too_few_photographs_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Too few"):
        plant_third_notes(base, tmp_path / "third", 5, notes=AT_LEAST + 1)
