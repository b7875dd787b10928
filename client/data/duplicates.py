"""Which patients must stay together: those who share a byte-identical photograph, through any chain of them.

Public sets hold the same file under two patients; on two sides of a split, or at two sites, it would be a
test image that was trained on. Groups are found by SHA-256 of the files' bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping

import pandas as pd


def identical_photographs(table: pd.DataFrame, digests: Mapping[str, str] | None = None) -> list[list[str]]:
    """Records that share their photograph's bytes: a sorted list of records for each such photograph.

    digests: record -> SHA-256, such as ImageStore.digests; without them the files are read, those of a size
    that no other file has excepted. A file that cannot be read has no twin.
    """
    if digests is None:
        digests = _digests(table)
    by_digest: dict[str, list[str]] = defaultdict(list)
    for record in table["record_id"]:
        if record in digests:
            by_digest[digests[record]].append(str(record))
    return sorted(sorted(records) for records in by_digest.values() if len(records) > 1)


def patient_groups(table: pd.DataFrame, digests: Mapping[str, str] | None = None) -> dict[str, str]:
    """The group of every patient, named after its smallest patient id.

    digests: as for identical_photographs.
    """
    patient_of = dict(zip(table["record_id"], table["patient_id"], strict=True))
    parent = {str(patient): str(patient) for patient in table["patient_id"]}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    for records in identical_photographs(table, digests):
        roots = [root(patient_of[record]) for record in records]
        for other in roots:
            parent[root(other)] = min(root(other), root(roots[0]))
            parent[root(roots[0])] = root(other)
    return {patient: root(patient) for patient in parent}


def _digests(table: pd.DataFrame) -> dict[str, str]:
    by_size: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for record, path in zip(table["record_id"], table["image_path"], strict=True):
        if os.path.isfile(path):
            by_size[os.path.getsize(path)].append((record, path))
    digests = {}
    for same_size in by_size.values():
        for record, path in same_size if len(same_size) > 1 else ():
            try:
                with open(path, "rb") as file:
                    digests[record] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                continue
    return digests
