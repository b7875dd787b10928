"""A second site whose records have notes of their own: a hospital's table, mapped, with names in the notes.

BRSET has no column of notes, so the photographs of the drawn set are given one here, through the adapter that reads
any hospital's table.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shared_model.errors import DataError
from simulations.dirt.notes import harmless_note, note_with_identifier
from simulations.dirt.notes_second import second_notes
from simulations.dirt.site import Generator
from simulations.dirt.truth import Item, Truth
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE

NOTED_TABLE = "visits.csv"
NOTED_OPTIONS: dict[str, Any] = {
    "file": NOTED_TABLE,
    "images": PHOTOGRAPHS,
    "columns": {"image": "Picture", "patient": "Person", "eye": "Side", "icdr": "Grade", "note": "Report"},
    "codes": {"eye": {"OD": "right", "OS": "left"}},
}
HEADER = ("Picture", "Person", "Side", "Grade", "Report")
SECOND = "_second"  # ends the kinds of identifiers that the second unseen set marks one by one
NextNote = Callable[[str, Truth], str]  # of a record; writes down what is in it


def plant_notes(base: Path, folder: Path, seed: int, *, notes: int, unseen: bool = False) -> Truth:
    """Write a site of `notes` records into `folder`, half of whose notes hold an identifier.

    base: a clean folder in BRSET's layout, of which the photographs are linked. unseen: of the templates that nobody
    who wrote check has seen. Raises DataError where `base` holds fewer photographs.
    """
    random = np.random.default_rng(np.random.SeedSequence((seed, 0x70)))

    def next_note(record: str, truth: Truth) -> str:
        if random.random() < 0.5:
            note, sort, secrets = note_with_identifier(int(random.integers(10_000)), random, unseen=unseen)
            truth.items.append(Item("identifier_in_note", sort, (record,), text=secrets))
        else:
            note = harmless_note(int(random.integers(10_000)), random, unseen=unseen)
            truth.add("harmless_note", "", record)
        return note

    return _write(base, folder, seed, random, notes, next_note)


def plant_second_notes(base: Path, folder: Path, seed: int, *, notes: int) -> Truth:
    """As `plant_notes`, of the second unseen set: besides each note, each identifier in it is an item with a span."""
    random = np.random.default_rng(np.random.SeedSequence((seed, 0x71)))
    drawn = iter(second_notes(notes, random))

    def next_note(record: str, truth: Truth) -> str:
        note = next(drawn)
        if not note.planted:
            truth.add("harmless_note", "", record)
            return note.text
        texts = tuple(note.text[one.start : one.end] for one in note.planted)
        kinds = "+".join(dict.fromkeys(one.kind for one in note.planted))
        truth.items.append(Item("identifier_in_note", f"{kinds} {note.language}", (record,), text=texts))
        for one, text in zip(note.planted, texts, strict=True):
            span = (one.start, one.end)
            truth.items.append(Item(one.kind + SECOND, note.language, (record,), text=(text,), span=span))
        return note.text

    return _write(base, folder, seed, random, notes, next_note)


def notes_of(folder: Path) -> dict[str, str]:
    """record -> its note, as it was written."""
    with (folder / NOTED_TABLE).open(encoding="utf-8", newline="") as file:
        return {row["Picture"]: row["Report"] for row in csv.DictReader(file)}


def photographed(base: Path) -> list[dict[str, str]]:
    """The rows of `base` (BRSET's layout) whose photographs are there."""
    with (base / TABLE).open(encoding="utf-8", newline="") as file:
        return [
            row for row in csv.DictReader(file) if (base / PHOTOGRAPHS / f"{row['image_id']}.jpg").exists()
        ]


def _write(base: Path, folder: Path, seed: int, random: Generator, notes: int, next_note: NextNote) -> Truth:
    truth = Truth(seed)
    rows = photographed(base)
    if len(rows) < notes:
        raise DataError(
            "The data set has fewer photographs than notes are wanted.", where=str(base), fix="Draw more."
        )
    (folder / PHOTOGRAPHS).mkdir(parents=True)
    with (folder / NOTED_TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        line = 2
        for at in sorted(random.permutation(len(rows))[:notes].tolist()):
            row = rows[at]
            record = row["image_id"]
            note = next_note(record, truth)
            os.link(base / PHOTOGRAPHS / f"{record}.jpg", folder / PHOTOGRAPHS / f"{record}.jpg")
            side = "OD" if row["exam_eye"] == "1" else "OS"
            writer.writerow((record, row["patient_id"], side, row["DR_ICDR"], note))
            truth.lines[record] = [line]
            line += 1 + note.count("\n")
    truth.save(folder)
    return truth
