"""The two small tables a user may lay beside the labels: `centers.csv` and `split.csv`, both by patient.

They say what BRSET does not hold: which centre photographed a patient, and which side of the evaluation the
patient is on. Since they decide who is trained on, a contradiction in them stops the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from client.adapters.delimited import read_table
from client.adapters.values import identifier, plain
from shared_model.errors import DataError
from shared_model.records import SPLITS
from shared_model.wording import counted, worded

SPLIT_WORDS = {name: name for name in SPLITS} | {
    "val": "validation",
    "valid": "validation",
    "training": "train",
}


def centers(
    folder: Path, patients: Sequence[str], recorded: Sequence[object]
) -> tuple[list[object], list[str]]:
    """The centre of every record, from centers.csv before the table's own column, and notices.

    patients, recorded: patient and `center` column of every record.
    """
    said = _by_patient(folder / "centers.csv", "center")
    if said is None:
        return list(recorded), []
    joined = [said.get(patient, own) for patient, own in zip(patients, recorded, strict=True)]
    unnamed = len({p for p, c in zip(patients, joined, strict=True) if c is None})
    return joined, [
        worded("{n} [patient has|patients have] no centre in centers.csv.", unnamed)
    ] if unnamed else []


def splits(
    folder: Path, patients: Sequence[str], recorded: Sequence[object]
) -> tuple[list[object], list[str]]:
    """The fixed split of every record, from split.csv before the table's own, and notices.

    patients, recorded: patient and split of every record, None where the table says nothing.
    """
    path = folder / "split.csv"
    said = _by_patient(path, "split")
    if said is None:
        return list(recorded), []
    unknown = sorted({word for word in said.values() if plain(word) not in SPLIT_WORDS})
    if unknown:
        raise DataError(
            "split.csv holds a word that is no split.",
            where=f"{path}: {', '.join(map(repr, unknown[:3]))}",
            fix=f"Use {', '.join(SPLITS)}.",
        )
    fixed = {patient: SPLIT_WORDS[plain(word)] for patient, word in said.items()}
    named = len(set(patients) & set(fixed))
    joined = [fixed.get(patient, own) for patient, own in zip(patients, recorded, strict=True)]
    return joined, [f"split.csv fixes the split of {counted(named, 'patient')}."]


def _by_patient(path: Path, column: str) -> dict[str, str] | None:
    if not path.is_file():
        return None
    table = read_table(path, {"centre": "center"})
    missing = [name for name in ("patient_id", column) if name not in table.columns]
    if missing:
        raise DataError(
            f"The table lacks {', '.join(missing)}.", where=f"{path}, line 1", fix="Add the column."
        )
    found: dict[str, str] = {}
    for row in table.rows:
        patient = identifier(row.cells.get("patient_id", ""))
        value = identifier(row.cells.get(column, ""))
        if patient is None or value is None or row.problem:
            raise DataError(
                f"A row does not name both patient_id and {column}.",
                where=f"{path}, line {row.line}",
                fix="Complete the row or remove it.",
            )
        if found.setdefault(patient, value) != value:
            raise DataError(
                f"A patient is given two values of {column}.",
                where=f"{path}, line {row.line}",
                fix="Keep one of them: sites and splits are by patient.",
            )
    return found
