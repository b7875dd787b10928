"""Whom a step is made of: each patient is in or out by a coin of their own (Poisson sampling).

The amplification that the accountant counts on holds for this draw alone: not for batches of a fixed size, nor for
a shuffled order, nor where one patient's coin depends on who else is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.privacy.dp.plan import Plan
from client.privacy.dp.randomness import Randomness
from shared_model.randomness import numpy_generator

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Unit:
    """What is clipped as one: a patient, or a group of patients. seed: of its augmentation, dropout and records."""

    rows: Rows
    seed: int


def patients_of(table: pd.DataFrame, rows: Rows) -> dict[str, Rows]:
    """Patient to the rows of their records, among `rows`."""
    owners = table["patient_id"].to_numpy()[rows]
    return {str(patient): rows[owners == patient] for patient in pd.unique(owners)}


def drawn(patients: Sequence[str], rate: float, step: int, randomness: Randomness) -> list[str]:
    """The patients of one step, each with a probability of at most `rate` (rounded down to 64 bits)."""
    if rate >= 1:
        return list(patients)
    limit = np.uint64(int(rate * 2.0**64))
    draws = randomness.draws("sampling", step, patients)
    return [patient for patient, draw in zip(patients, draws, strict=True) if draw < limit]


def units(records: Mapping[str, Rows], plan: Plan, step: int, randomness: Randomness) -> list[Unit]:
    """What the step clips: the patients drawn (`prototypes`), or the groups that they fall into (`groups`).

    A group's number is drawn by each patient for themselves; groups that nobody fell into are left out, as they
    contribute zero.
    """
    chosen = drawn(list(records), plan.rate, step, randomness)
    if plan.mode == "prototypes":
        members = {patient: [patient] for patient in chosen}
    else:
        groups = (randomness.draws("group", step, chosen) >> np.uint64(1)) % np.uint64(plan.groups)
        members = {str(group): [] for group in sorted(set(groups.tolist()))}
        for patient, group in zip(chosen, groups.tolist(), strict=True):
            members[str(group)].append(patient)
    seeds = randomness.draws("unit", step, list(members)).tolist()
    return [
        Unit(_rows(records, names, plan.records, int(seed) >> 1), int(seed) >> 1)
        for names, seed in zip(members.values(), seeds, strict=True)
    ]


def _rows(records: Mapping[str, Rows], patients: Sequence[str], most: int, seed: int) -> Rows:
    """The records of these patients, of one who has more than `most` that many at random."""
    return np.concatenate([_some(records[patient], most, seed, patient) for patient in patients])


def _some(rows: Rows, most: int, seed: int, patient: str) -> Rows:
    if len(rows) <= most:
        return rows
    return rows[np.sort(numpy_generator(seed, "records", patient).permutation(len(rows))[:most])]
