"""A second site whose records have notes of their own: a hospital's table, mapped, with names in the notes.

BRSET has no column of notes, so the photographs of the drawn set are given one here, through the adapter that reads
any hospital's table.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

from shared_model.errors import DataError
from simulations.dirt.notes import harmless_note, note_with_identifier
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


def plant_notes(base: Path, folder: Path, seed: int, *, notes: int, unseen: bool = False) -> Truth:
    """Write a site of `notes` records into `folder`, half of whose notes hold an identifier.

    base: a clean folder in BRSET's layout, of which the photographs are linked. unseen: of the templates that nobody
    who wrote check has seen. Raises DataError where `base` holds fewer photographs.
    """
    random = np.random.default_rng(np.random.SeedSequence((seed, 0x70)))
    truth = Truth(seed)
    with (base / TABLE).open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if (base / PHOTOGRAPHS / f"{row['image_id']}.jpg").exists()
        ]
    if len(rows) < notes:
        raise DataError(
            "The data set has fewer photographs than notes are wanted.", where=str(base), fix="Draw more."
        )
    (folder / PHOTOGRAPHS).mkdir(parents=True)
    with (folder / NOTED_TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for number, at in enumerate(sorted(random.permutation(len(rows))[:notes].tolist())):
            row = rows[at]
            record = row["image_id"]
            if random.random() < 0.5:
                note, sort, secrets = note_with_identifier(
                    int(random.integers(10_000)), random, unseen=unseen
                )
                truth.items.append(Item("identifier_in_note", sort, (record,), text=secrets))
            else:
                note = harmless_note(int(random.integers(10_000)), random, unseen=unseen)
                truth.add("harmless_note", "", record)
            os.link(base / PHOTOGRAPHS / f"{record}.jpg", folder / PHOTOGRAPHS / f"{record}.jpg")
            side = "OD" if row["exam_eye"] == "1" else "OS"
            writer.writerow((record, row["patient_id"], side, row["DR_ICDR"], note))
            truth.lines[record] = [number + 2]
    truth.save(folder)
    return truth
