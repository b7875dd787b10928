"""The tables behind an answer: for each, the cell that every training photograph falls into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.statistics.merging import MISSING, draw_order
from shared_model.records import FINDINGS, GRADES, TASKS
from shared_model.statistics import BINS, FLAGS, YEARS

_Ints = NDArray[np.int64]

# table -> the group of questions that it answers
TABLES = {
    "notes": "records",
    **dict.fromkeys((*YEARS, *FLAGS), "structured"),
    **dict.fromkeys(TASKS, "grades"),
    **{f"finding_{name}": "findings" for name in FINDINGS},
}


@dataclass(frozen=True, eq=False)
class Training:
    """The training photographs of a site: their rows, whose each is (N,), and each patient's place in the draw."""

    rows: pd.DataFrame
    patients: _Ints
    order: _Ints

    @classmethod
    def of(cls, table: pd.DataFrame, key: bytes) -> Training:
        """Validation and test patients must not shape the model through its scales: they are left out here."""
        rows = table[table["split"] == "train"]
        patients, names = pd.factorize(rows["patient_id"], sort=True)
        return cls(rows, patients.astype(np.int64), draw_order([str(name) for name in names], key))

    @property
    def count(self) -> int:
        """How many patients there are."""
        return len(self.order)

    def codes(self, name: str) -> _Ints:
        """(N,): the photograph's cell in a table of TABLES, MISSING where it has no value."""
        if name == "notes":
            return np.where(self.rows["note"].isna(), MISSING, 0)
        values = self.rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(values), MISSING, np.rint(np.nan_to_num(values))).astype(np.int64)

    def first_of_each(self, eligible: _Ints) -> _Ints:
        """(count,): a photograph of each patient among `eligible`, MISSING for those who have none there.

        The first by record, so that it depends on the patient's own records alone.
        """
        records = self.rows["record_id"].to_numpy()
        chosen = np.full(self.count, MISSING, dtype=np.int64)
        for row in sorted(eligible, key=lambda row: str(records[row]), reverse=True):
            chosen[self.patients[row]] = row
        return chosen


def cells_of(name: str) -> int:
    """How many cells a table of TABLES has."""
    if name == "notes":
        return 1
    return BINS if name in YEARS else GRADES if name in TASKS else 2


def asked(groups: Iterable[str]) -> list[str]:
    """The tables that the allowed groups of questions are about."""
    allowed = set(groups)
    return [name for name, group in TABLES.items() if group in allowed]
