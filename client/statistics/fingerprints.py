"""Whom each table of an answer rests on, without saying who they are or what they have.

For every table a patient has the number of photographs that entered it and a keyed digest of their values there.
What entered is taken after the holding back of small gaps (merging), so that a value let out again counts as one
that is new. Comparing two fingerprints tells, table by table, how many patients differ; one digest over all tables
would let a change of one column that touches everybody hide the one patient who left the others.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.images import ImageStore
from client.statistics.channels import held_positions
from client.statistics.merging import MISSING, hold_back
from client.statistics.policy import Policy
from client.statistics.tables import Training, asked

_Ints = NDArray[np.int64]
MEMBERSHIP = "records"  # who is a training patient, and with how many photographs: behind every count


@dataclass(frozen=True)
class Fingerprints:
    """tables: names of TABLES, "image_channels" and, always first, MEMBERSHIP. patients: digest of the patient ->
    for each table "photographs:digest of the values", "" for a patient who has none there.
    """

    tables: tuple[str, ...]
    patients: Mapping[str, Sequence[str]]

    def of(self, table: str) -> dict[str, str]:
        """The patients who entered a table."""
        at = self.tables.index(table)
        return {patient: marks[at] for patient, marks in self.patients.items() if marks[at]}

    def without(self, tables: frozenset[str]) -> Fingerprints:
        """The same without some tables."""
        kept = [at for at, table in enumerate(self.tables) if table not in tables]
        patients = {patient: [marks[at] for at in kept] for patient, marks in self.patients.items()}
        return Fingerprints(tuple(self.tables[at] for at in kept), patients)


@dataclass(frozen=True)
class Difference:
    """Patients who differ in one table. moved: in the number of their photographs in it; changed: in that or in
    their values. thin: whether neither side had `minimum` patients, so that nothing was or would be told of it.
    """

    moved: int
    changed: int
    thin: bool

    def safe(self, minimum: int) -> bool:
        """Whether the two tables may both be told: nobody or enough patients differ, in either way."""
        return self.thin or not (0 < self.moved < minimum or 0 < self.changed < minimum)


def fingerprints(table: pd.DataFrame, images: ImageStore | None, policy: Policy, key: bytes) -> Fingerprints:
    """What an answer under `policy` rests on. table: canonical, with splits; images: the store of its photographs."""
    training = Training.of(table, key)
    names = [str(name) for name in pd.unique(training.rows["patient_id"].sort_values())]
    columns = {MEMBERSHIP: _marks(training, np.zeros(len(training.rows), dtype=np.int64), None, names, key)}
    for name in asked(policy.answer):
        codes = _entering(training.codes(name), training, policy)
        columns[name] = _marks(training, codes, name, names, key)
    if "image_channels" in policy.answer:
        columns["image_channels"] = _photograph_marks(training, images, policy, names, key)
    patients = [_digest(key, "patient", name) for name in names]
    marks = zip(*columns.values(), strict=True)
    return Fingerprints(tuple(columns), dict(zip(patients, map(list, marks), strict=True)))


def difference(
    first: Fingerprints, second: Fingerprints, table: str, minima: tuple[int, int] = (0, 0)
) -> Difference:
    """How two fingerprints differ in a table that both have. minima: patients that each answer's counts rest on."""
    one, other = first.of(table), second.of(table)
    pairs = [(one.get(patient, ""), other.get(patient, "")) for patient in one.keys() | other.keys()]
    thin = all(low > 1 and len(side) < low for side, low in zip((one, other), minima, strict=True))
    return Difference(
        moved=sum(a.partition(":")[0] != b.partition(":")[0] for a, b in pairs),
        changed=sum(a != b for a, b in pairs),
        thin=thin,
    )


def _entering(codes: _Ints, training: Training, policy: Policy) -> _Ints:
    return hold_back(codes, training.patients, training.order, policy.minimum_cell)


def _photograph_marks(
    training: Training, images: ImageStore | None, policy: Policy, names: Sequence[str], key: bytes
) -> list[str]:
    if images is None:
        return [""] * len(names)
    records = [str(record) for record in training.rows["record_id"]]
    positions = _entering(held_positions(images, records), training, policy)
    digests = [images.digests.get(record, "") for record in records]
    return _marks(training, positions, "image_channels", names, key, digests)


def _marks(
    training: Training,
    codes: _Ints,
    table: str | None,
    names: Sequence[str],
    key: bytes,
    values: Sequence[Any] | None = None,
) -> list[str]:
    """A mark a patient. table: None for their number of photographs alone; values: of each row, else the codes."""
    told = codes.tolist() if values is None else values
    own: list[list[Any]] = [[] for _ in names]
    for row in np.flatnonzero(codes != MISSING).tolist():
        own[training.patients[row]].append(told[row])
    if table is None:
        return [f"{len(found)}:" for found in own]
    return [
        f"{len(found)}:{_digest(key, table, name, *map(str, sorted(found)))[:16]}" if found else ""
        for name, found in zip(names, own, strict=True)
    ]


def _digest(key: bytes, *parts: str) -> str:
    content = json.dumps(parts).encode()
    return hmac.digest(key, b"statistics fingerprint|" + content, "sha256").hex()[:32]
