"""Which patient is trained on, which validates, which tests; and folds for cross-validation.

The side of a patient follows from the seed and the patient's id alone, so that adding patients moves nobody.
Patients who share a byte-identical photograph move as one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.duplicates import patient_groups
from shared_model.errors import ConfigError, DataError
from shared_model.records import SPLITS, TEXT

FRACTIONS = (0.8, 0.1, 0.1)


def assign_splits(
    table: pd.DataFrame,
    *,
    seed: int,
    fractions: tuple[float, float, float] = FRACTIONS,
    digests: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A copy of the table with every record on a side, patients kept whole.

    A side already in `split` is kept, and drawn to the rest of the patient's group. fractions: of SPLITS, in
    their order. digests: see client.data.duplicates. Raises DataError where a group is fixed to two sides.
    """
    group_of = patient_groups(table, digests)
    groups = table["patient_id"].map(group_of)
    fixed = _fixed(table["split"], groups)
    sides = {key: fixed.get(key) or _side(uniform(seed, key), fractions) for key in set(groups)}
    return table.assign(split=groups.map(sides).astype(TEXT))


def folds(
    table: pd.DataFrame, k: int, seed: int, *, digests: Mapping[str, str] | None = None
) -> NDArray[np.int64]:
    """The fold, 0 to k-1, of every record (N,), groups of patients kept whole.

    Groups are dealt in an order drawn from the seed, grade by grade of their highest ICDR, so that folds are
    alike in size and grade. Raises ConfigError for k under 2 or over the number of groups.
    """
    group_of = patient_groups(table, digests)
    groups = table["patient_id"].map(group_of)
    highest = table["icdr"].fillna(-1).groupby(groups).max()
    if not 2 <= k <= len(highest):
        raise ConfigError(
            f"{k} folds cannot be made of {len(highest)} patients.",
            where="folds",
            fix=f"Use 2 to {len(highest)}.",
        )
    order = sorted(highest.index, key=lambda key: (int(highest[key]), uniform(seed, key), key))
    fold_of = {key: position % k for position, key in enumerate(order)}
    return groups.map(fold_of).to_numpy(dtype=np.int64)


def uniform(seed: int, key: str) -> float:
    """A number in [0, 1) that follows from seed and key alone."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _side(position: float, fractions: tuple[float, float, float]) -> str:
    edges = np.cumsum(fractions[:-1])
    return SPLITS[int(np.searchsorted(edges, position, side="right"))]


def _fixed(split: pd.Series, groups: pd.Series) -> dict[str, str]:
    sides: dict[str, set[str]] = defaultdict(set)
    for group, side in zip(groups, split, strict=True):
        if pd.notna(side):
            sides[group].add(side)
    torn = [group for group, found in sides.items() if len(found) > 1]
    if torn:
        raise DataError(
            f"{len(torn)} patients, or groups of patients who share a byte-identical photograph, are fixed "
            "to two sides of the split.",
            where="split.csv",
            fix="Put each such group on one side, or leave all but one of its patients out of split.csv.",
        )
    return {group: next(iter(found)) for group, found in sides.items()}
