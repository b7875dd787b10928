"""A site's records as tensors: photographs from the image store, notes as token ids, values standardised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.cache.features import Features
from client.data.images import ImageStore
from client.training.augmentation import Augmentation, Augmentations
from shared_model.losses import Batch
from shared_model.model import TextBatch, Tokenizer
from shared_model.records import TASKS
from shared_model.statistics import Standardisation

NO_NOTE = -1


class SiteDataset:
    """Records in table order; `batch` makes the tensors of any of them.

    The image standardisation and the imputation of structured values come from the federation's training patients.
    What none of them has, a note or a structured value, is not read here either: the model never learnt it. Nor is
    what the model is not made to read. features: what the model's frozen parts give of photographs and notes, where
    that is kept (client/cache).
    """

    def __init__(
        self,
        table: pd.DataFrame,
        images: ImageStore,
        tokenizer: Tokenizer,
        standardisation: Standardisation,
        features: Features | None = None,
    ) -> None:
        self.table = table.reset_index(drop=True)
        self.tokenizer = tokenizer
        self._images = images
        self._features = features or Features()
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

    @property
    def image_size(self) -> int:
        """Side of the photographs in pixels."""
        return self._images.size

    def digests(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """SHA-256 of the photographs' files."""
        records = self.table["record_id"].to_numpy()
        return [self._images.digests[records[row]] for row in rows]

    def versions(self, rows: Sequence[int] | NDArray[np.int64], draws: Sequence[int]) -> Tensor:
        """Standardised photographs (B, 3, S, S), each in one of the versions that the cache draws of it."""
        assert self._features.images is not None
        drawn = self._features.images.augmentations
        return self._standardised(drawn(self.photographs(rows), self.digests(rows), draws))

    def notes(self, rows: Sequence[int]) -> TextBatch:
        """The full notes of these records."""
        return self._padded(self._notes, rows)

    def distinct_notes(self) -> Iterator[list[int]]:
        """Token ids of every different note, in full and without the sentences that state the grade."""
        for ids in dict.fromkeys(tuple(ids) for ids in (*self._notes, *self._masked)):
            yield list(ids)

    def batch(
        self,
        rows: Sequence[int] | NDArray[np.int64],
        augmentation: Augmentation | Augmentations | None = None,
    ) -> Batch:
        """The tensors of these records, photographs augmented if asked: where the cache has drawn a number of versions
        of each, one of those by the augmentation's generator.
        """
        index = torch.as_tensor(np.asarray(rows))
        image, image_trunk = self._image(rows, augmentation)
        group = self.note_group[index]
        return Batch(
            image=image,
            image_trunk=image_trunk,
            note=self._padded(self._notes, rows),
            masked_note=self._padded(self._masked, rows),
            note_group=group,
            structured=self.structured[index],
            present={
                "image": torch.full((len(index),), self._reads_images),
                "text": group != NO_NOTE,
                "structured": self.structured_present[index],
            },
            labels={task: labels[index] for task, labels in self.labels.items()},
        )

    def _image(
        self, rows: Sequence[int] | NDArray[np.int64], augmentation: Augmentation | Augmentations | None
    ) -> tuple[Tensor, Tensor | None]:
        kept = self._features.images
        if kept is None:
            image = self.photographs(rows)
            return self._standardised(image if augmentation is None else augmentation(image)), None
        draws = kept.augmentations.choose(len(rows), augmentation)
        digests = self.digests(rows)
        if not kept.pixels and (known := kept.known(digests, draws)) is not None:
            return known.new_zeros(len(rows), 3, 1, 1), known  # nothing reads the photographs themselves
        image = self.versions(rows, draws)
        return image, kept.of(digests, draws, image)

    def _standardised(self, image: Tensor) -> Tensor:
        return (image - self._mean) / self._std

    def _padded(self, notes: Sequence[list[int]], rows: Sequence[int] | NDArray[np.int64]) -> TextBatch:
        own = [notes[row] for row in rows]
        batch = self.tokenizer.pad(own)
        kept = self._features.notes
        return batch if kept is None else batch._replace(trunk=kept.of(own, batch.ids.shape[1]))

    def _ids(self, note: object) -> list[int]:
        text = note if isinstance(note, str) else ""
        ids: list[int] = self.tokenizer.ids(text)
        return ids


def note_groups(notes: pd.Series) -> NDArray[np.int64]:
    """Ids of notes by their first appearance: equal notes, equal ids; -1 where there is none."""
    codes, _ = pd.factorize(notes.where(notes.notna(), None), use_na_sentinel=True)
    return np.asarray(codes, dtype=np.int64)
