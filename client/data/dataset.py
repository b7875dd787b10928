"""A site's records as tensors: photographs from the image store, notes as token ids, values standardised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.data.images import ImageStore
from client.training.augmentation import Augmentation
from shared_model.losses import Batch
from shared_model.model import TextBatch, Tokenizer
from shared_model.records import TASKS
from shared_model.statistics import Standardisation

NO_NOTE = -1


class SiteDataset:
    """Records in table order; `batch` makes the tensors of any of them.

    The image standardisation and the imputation of structured values come from the federation's training patients.
    What none of them has, a note or a structured value, is not read here either: the model never learnt it. Nor is
    what the model is not made to read.
    """

    def __init__(
        self, table: pd.DataFrame, images: ImageStore, tokenizer: Tokenizer, standardisation: Standardisation
    ) -> None:
        self.table = table.reset_index(drop=True)
        self.tokenizer = tokenizer
        self._images = images
        self._reads_images = standardisation.images
        self._image_rows = np.array(
            [images.index_of(record) for record in table["record_id"]], dtype=np.int64
        )
        self._mean = torch.tensor(standardisation.image_mean, dtype=torch.float32).view(1, 3, 1, 1)
        self._std = torch.tensor(standardisation.image_std, dtype=torch.float32).view(1, 3, 1, 1)
        values, present = standardisation.apply(self.table)
        self.structured = torch.from_numpy(values)
        self.structured_present = torch.from_numpy(present)
        read = pd.Series(standardisation.notes, index=self.table.index)
        notes, masked = (self.table[column].where(read) for column in ("note", "masked_note"))
        self.note_group = torch.from_numpy(note_groups(notes))
        self._notes = [self._ids(note) for note in notes]
        self._masked = [self._ids(note) for note in masked]
        self.labels = {
            task: torch.from_numpy(self.table[task].fillna(-1).to_numpy(dtype=np.int64)) for task in TASKS
        }

    def __len__(self) -> int:
        return len(self.table)

    def rows_of(self, split: str) -> NDArray[np.int64]:
        """Positions of the records of one split of which the model reads anything at all."""
        return np.flatnonzero((self.table["split"] == split).to_numpy() & self.readable())

    def readable(self) -> NDArray[np.bool_]:
        """Which records hold something that the model reads (N,): all of them, if it reads photographs."""
        if self._reads_images:
            return np.ones(len(self), dtype=np.bool_)
        return ((self.note_group != NO_NOTE) | self.structured_present).numpy()

    def photographs(self, rows: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Photographs (B, 3, S, S) in [0, 1]."""
        pixels = self._images.batch(self._image_rows[np.asarray(rows)])
        return torch.from_numpy(pixels).to(torch.float32).div_(255.0)

    def notes(self, rows: Sequence[int]) -> TextBatch:
        """The full notes of these records."""
        return self.tokenizer.pad([self._notes[row] for row in rows])

    def batch(
        self, rows: Sequence[int] | NDArray[np.int64], augmentation: Augmentation | None = None
    ) -> Batch:
        """The tensors of these records, photographs augmented if asked."""
        index = torch.as_tensor(np.asarray(rows))
        image = self.photographs(rows)
        if augmentation is not None:
            image = augmentation(image)
        group = self.note_group[index]
        return Batch(
            image=(image - self._mean) / self._std,
            note=self.tokenizer.pad([self._notes[row] for row in rows]),
            masked_note=self.tokenizer.pad([self._masked[row] for row in rows]),
            note_group=group,
            structured=self.structured[index],
            present={
                "image": torch.full((len(index),), self._reads_images),
                "text": group != NO_NOTE,
                "structured": self.structured_present[index],
            },
            labels={task: labels[index] for task, labels in self.labels.items()},
        )

    def _ids(self, note: object) -> list[int]:
        text = note if isinstance(note, str) else ""
        ids: list[int] = self.tokenizer.ids(text)
        return ids


def note_groups(notes: pd.Series) -> NDArray[np.int64]:
    """Ids of notes by their first appearance: equal notes, equal ids; -1 where there is none."""
    codes, _ = pd.factorize(notes.where(notes.notna(), None), use_na_sentinel=True)
    return np.asarray(codes, dtype=np.int64)
