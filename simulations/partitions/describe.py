"""The table of what every site got, in counts: `partition.json` of a run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from shared_model.records import GRADES, SPLITS, TASKS
from simulations.partitions.partition import Partition


def describe(table: pd.DataFrame, partition: Partition) -> dict[str, Any]:
    """Plain counts of a partition: patients and images by split, grades, notes and cameras of each site."""
    return {
        "kind": partition.kind,
        "proxy": partition.proxy,
        "notices": list(partition.notices),
        "sites": {name: _site(records) for name, records in partition.tables(table).items()},
    }


def _site(records: pd.DataFrame) -> dict[str, Any]:
    by_split = {split: records[records["split"] == split] for split in SPLITS}
    cameras = records["camera"].dropna().value_counts()
    return {
        "patients": {split: int(part["patient_id"].nunique()) for split, part in by_split.items()},
        "images": {split: len(part) for split, part in by_split.items()},
        **{task: _grades(records[task]) for task in TASKS},
        "notes": int(records["note"].notna().sum()),
        "cameras": {str(name): int(count) for name, count in sorted(cameras.items())},
    }


def _grades(column: pd.Series) -> list[int]:
    counts = column.value_counts()
    return [int(counts.get(grade, 0)) for grade in range(GRADES)]
