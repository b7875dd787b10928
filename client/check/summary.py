"""What a site has, in counts: patients, photographs, visits, grades, findings, notes, what is missing.

Counts and bins only, so that the document and the report can be made from it without a second look at the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from client.adapters import Loaded
from client.check.measurement import Measurement
from client.check.notes import NoteSummary
from shared_model.records import FINDINGS, GRADES, SPLITS, STRUCTURED, TASKS

FIELDS = (
    "note",
    *STRUCTURED,
    *TASKS,
    "visit",
    "camera",
    "center",
)  # optional fields whose absence is counted
BRIGHTNESS_BINS = 32  # of 8 levels each


@dataclass(frozen=True)
class Summary:
    """Counts of the records that can be used, and of the rows they come from.

    visits: None where no row says which visit it is of. grades: task -> photographs by grade. findings: name ->
    (positive, recorded). missing: field -> records without it. sides: split -> (patients, photographs).
    brightness: photographs by level, in bins of 8. structured: records with any structured value but the eye.
    excluded: patients left out at their request. kept_back: what the site's policy does not share, counted as absent.
    """

    rows: int
    rows_set_aside: int
    patients: int
    photographs: int
    photographs_a_patient: float
    visits: int | None
    grades: dict[str, list[int]]
    findings: dict[str, tuple[int, int]]
    missing: dict[str, int]
    structured: int
    sides: dict[str, tuple[int, int]]
    brightness: list[int]
    cameras: int
    excluded: int
    notes: NoteSummary
    kept_back: tuple[str, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """What this site can train on: photographs always, notes and form where any record has them."""
        has = {
            "photographs": self.photographs,
            "notes": self.notes.notes,
            "structured values": self.structured,
        }
        return tuple(name for name, count in has.items() if count)

    def graded(self, task: str = "icdr") -> int:
        """Photographs with a grade of this task."""
        return sum(self.grades[task])

    def document(self) -> dict[str, Any]:
        """The counts as plain values for JSON."""
        return {**asdict(self), "modalities": list(self.modalities)}


def summarise(
    loaded: Loaded,
    table: pd.DataFrame,
    measured: Mapping[str, Measurement],
    notes: NoteSummary,
    *,
    excluded: int,
    kept_back: tuple[str, ...] = (),
) -> Summary:
    """loaded: as read; table: the records as they would be used, with splits where they could be drawn."""
    rows = len(set(loaded.quarantine["row"])) + len(loaded.table)
    per_side = {side: table[table["split"] == side] for side in SPLITS}
    return Summary(
        rows=rows,
        rows_set_aside=rows - len(table),
        patients=table["patient_id"].nunique(),
        photographs=len(table),
        photographs_a_patient=round(len(table) / max(1, table["patient_id"].nunique()), 2),
        visits=_visits(table),
        grades={task: [int((table[task] == grade).sum()) for grade in range(GRADES)] for task in TASKS},
        findings={name: _flags(table[f"finding_{name}"]) for name in FINDINGS},
        missing={name: int(table[name].isna().sum()) for name in FIELDS},
        structured=int(table[[name for name in STRUCTURED if name != "eye"]].notna().any(axis=1).sum()),
        sides={side: (part["patient_id"].nunique(), len(part)) for side, part in per_side.items()},
        brightness=_brightness(table, measured),
        cameras=table["camera"].nunique(),
        excluded=excluded,
        notes=notes,
        kept_back=kept_back,
    )


def _visits(table: pd.DataFrame) -> int | None:
    known = table["visit"].notna()
    return int(table.loc[known, ["patient_id", "visit"]].drop_duplicates().shape[0]) if known.any() else None


def _flags(column: pd.Series) -> tuple[int, int]:
    return int((column == 1.0).sum()), int(column.notna().sum())


def _brightness(table: pd.DataFrame, measured: Mapping[str, Measurement]) -> list[int]:
    levels = [measured[record].brightness for record in table["record_id"] if record in measured]
    counts, _ = np.histogram(levels, bins=BRIGHTNESS_BINS, range=(0, 256))
    return [int(count) for count in counts]
