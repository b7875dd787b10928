"""Writes a site whose notes are the third unseen set, in the layout that noted.NOTED_OPTIONS describes.

Apart from noted.py, so that its author had no need to open the planters of the first notes.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np

from shared_model.errors import DataError
from shared_model.files import write_text
from simulations.dirt.noted import NOTED_OPTIONS, photographed
from simulations.dirt.notes_second import Note
from simulations.dirt.notes_third import third_notes
from simulations.dirt.truth import Item, Truth
from simulations.synthesis.dataset import PHOTOGRAPHS

THIRD = "_third"  # ends the kinds of identifiers that the third unseen set marks one by one
EYES = {"1": "OD", "2": "OS"}  # BRSET's codes


def plant_third_notes(base: Path, folder: Path, seed: int, *, notes: int) -> Truth:
    """Write a site of `notes` records into `folder`, half of whose notes hold identifiers, each an item with a span.

    base: a clean folder in BRSET's layout, of which the photographs are linked. Raises DataError where `base` holds
    fewer photographs.
    """
    rows = photographed(base)
    if len(rows) < notes:
        raise DataError("Too few photographs for the notes.", where=str(base), fix="Draw a larger site.")
    random = np.random.default_rng(np.random.SeedSequence((seed, 0x3D)))
    (folder / NOTED_OPTIONS["images"]).mkdir(parents=True)
    truth = Truth(seed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NOTED_OPTIONS["columns"][name] for name in ("image", "patient", "eye", "icdr", "note"))
    for row, note in zip(rows[:notes], third_notes(notes, random), strict=True):
        record = row["image_id"]
        truth.lines[record] = [1 + text.getvalue().count("\n")]
        writer.writerow((record, row["patient_id"], EYES[row["exam_eye"]], row["DR_ICDR"], note.text))
        os.link(base / PHOTOGRAPHS / f"{record}.jpg", folder / NOTED_OPTIONS["images"] / f"{record}.jpg")
        truth.items.extend(_items(record, note))
    write_text(folder / NOTED_OPTIONS["file"], text.getvalue())
    truth.save(folder)
    return truth


def _items(record: str, note: Note) -> list[Item]:
    """The note as a whole, and each identifier in it."""
    if not note.planted:
        return [Item("harmless_note", note.language, (record,))]
    texts = tuple(note.text[one.start : one.end] for one in note.planted)
    each = [
        Item(one.kind + THIRD, note.language, (record,), text=(text,), span=(one.start, one.end))
        for one, text in zip(note.planted, texts, strict=True)
    ]
    return [Item("identifier_in_note", note.language, (record,), text=texts), *each]
