"""Which training patients an answer was about, without saying who they are or what they have.

Each patient becomes two keyed digests, of the pseudonym and of everything the statistics read of the patient's
photographs. Comparing them tells how many patients came, went or changed between two answers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

import pandas as pd

from client.data.images import ImageStore
from client.statistics.tables import TABLES

Fingerprints = Mapping[str, str]  # digest of the patient -> digest of the patient's values


def fingerprints(table: pd.DataFrame, images: ImageStore | None, key: bytes) -> dict[str, str]:
    """The training patients of a canonical table. images: the store of their photographs."""
    train = table[table["split"] == "train"]
    columns = [name for name in TABLES if name != "notes"]
    values = train[columns].astype("Float64").to_numpy(dtype="float64", na_value=float("nan"))
    digests = images.digests if images is not None else {}
    photographs: dict[str, list[str]] = {}
    rows = zip(train["patient_id"], train["record_id"], train["note"].notna(), values.tolist(), strict=True)
    for patient, record, noted, numbers in rows:
        told = [str(record), bool(noted), [repr(v) for v in numbers], digests.get(str(record), "")]
        photographs.setdefault(str(patient), []).append(json.dumps(told))
    return {
        _digest(key, "patient", patient): _digest(key, "values", *sorted(told))
        for patient, told in photographs.items()
    }


def changed(first: Fingerprints, second: Fingerprints) -> int:
    """How many patients are in one of the two only, or have other values."""
    return sum(first.get(patient) != second.get(patient) for patient in first.keys() | second.keys())


def _digest(key: bytes, *parts: str) -> str:
    content = json.dumps(parts).encode()
    return hmac.new(key, b"statistics fingerprint|" + content, hashlib.sha256).hexdigest()[:32]
