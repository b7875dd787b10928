"""What a partition deals out: patients, those who share a byte-identical photograph as one.

A photograph at two sites would be trained on at one and tested on at the other, so no kind of partition ever
sees a single record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from client.data.duplicates import patient_groups

UNGRADED = -1


@dataclass(frozen=True)
class Unit:
    """Patients who stay together.

    key: the smallest patient id. grade: their highest ICDR, UNGRADED where none is known. trains: whether any
    record is on the training side, or no side is known yet. places: `center` and `camera` -> the recorded
    values, one a record. bad_field: whether any photograph has a bad image field.
    """

    key: str
    patients: tuple[str, ...]
    grade: int
    trains: bool
    places: Mapping[str, tuple[str, ...]]
    bad_field: bool

    def most_frequent(self, column: str) -> str | None:
        """The commonest center or camera of the unit's records, the first by name where tied."""
        counts = Counter(self.places[column])
        return min(counts, key=lambda value: (-counts[value], value), default=None)


def units(table: pd.DataFrame, digests: Mapping[str, str] | None = None) -> list[Unit]:
    """The units of a table by their keys, whatever its order; digests: see client.data.duplicates."""
    group_of = patient_groups(table, digests)
    undecided = bool(table["split"].isna().all())
    columns = ["patient_id", "icdr", "split", "center", "camera", "image_field"]
    rows: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for row in table[columns].astype(object).itertuples(index=False, name=None):
        rows[group_of[str(row[0])]].append(row)
    return [_unit(key, rows[key], undecided) for key in sorted(rows)]


def _unit(key: str, rows: list[tuple[object, ...]], undecided: bool) -> Unit:
    patients, grades, splits, centers, cameras, fields = zip(*rows, strict=True)
    return Unit(
        key=key,
        patients=tuple(sorted({str(patient) for patient in patients})),
        grade=max((int(grade) for grade in grades if not pd.isna(grade)), default=UNGRADED),
        trains=undecided or "train" in splits,
        places={"center": _known(centers), "camera": _known(cameras)},
        bad_field=1.0 in fields,
    )


def _known(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))
