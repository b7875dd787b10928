"""What a cache should hold for a data set: every note once, and every photograph in the versions that are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from client.cache.computing import Compute
from client.cache.feature_file import FeatureFile, Key
from client.cache.features import ImageFeatures, TextFeatures
from client.data.dataset import SiteDataset


@dataclass(frozen=True)
class Entry:
    """One piece of work. bytes: of disk space that its features take."""

    key: Key
    bytes: int
    compute: Compute


@dataclass(frozen=True)
class Plan:
    """described: how much it is in words, such as "1,204 notes"; unit: of its progress."""

    entries: Sequence[Entry]
    described: str
    unit: str

    @property
    def bytes(self) -> int:
        """Disk space of all of it."""
        return sum(entry.bytes for entry in self.entries)


def image_plan(dataset: SiteDataset, images: ImageFeatures, file: FeatureFile) -> Plan:
    """All draws of the photographs that are trained on, the first of those that are validated on.

    Their size is measured, on one, only where some are lacking.
    """
    draws = images.augmentations.count
    trained, validated = (dataset.rows_of(split).tolist() for split in ("train", "validation"))
    wanted = [(row, draw) for row in trained for draw in range(draws)] + [(row, 0) for row in validated]
    rows = [row for row, _ in wanted]
    keys = [images.key(digest, draw) for digest, (_, draw) in zip(dataset.digests(rows), wanted, strict=True)]
    lacking = any(key not in file for key in keys)
    size = file.entry_bytes(*images.shape(dataset.image_size)) if lacking else 0
    entries = {
        key: Entry(key, size, partial(_version, dataset, images, row, draw))
        for key, (row, draw) in zip(keys, wanted, strict=True)
    }
    photographs = len({key.content for key in keys})
    described = f"{photographs:,} photographs, {draws} {'draw' if draws == 1 else 'draws'}"
    return Plan(tuple(entries.values()), described, "views")


def text_plan(dataset: SiteDataset, notes: TextFeatures, file: FeatureFile) -> Plan:
    """Every distinct note, in full and without the sentences that state the grade."""
    entries = {}
    for ids in dataset.distinct_notes():
        key = notes.key(ids)
        entries[key] = Entry(key, file.entry_bytes(len(ids), notes.width), partial(notes.compute, ids))
    return Plan(tuple(entries.values()), f"{len(entries):,} notes", "notes")


def _version(dataset: SiteDataset, images: ImageFeatures, row: int, draw: int) -> Tensor:
    return images.compute(dataset.versions([row], [draw]))
