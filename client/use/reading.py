"""Photographs through a finished model, a batch at a time: pixels are in memory only, and only as long as they serve.

What the model says comes from client.inference.predict over records and photographs in the order they are given, as
in an evaluation, so that a photograph is graded here as it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.dataset import NO_NOTE, SiteDataset
from client.data.image_index import ImageIndex, Photograph, Source
from client.data.image_reading import Earlier, Reading, readings
from client.data.images import ImageStore
from client.data.pipeline import PIPELINE_VERSION
from client.data.pixels import Array
from client.inference.predict import predict
from shared_model.artefact import Artefact
from shared_model.metrics.predictions import Predictions

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Said:
    """What the model said of one batch. given: the input that each record is graded from: "all", or "image" where there
    is nothing beside the photograph that the model reads. inputs: the modalities that each was read from.
    """

    predictions: Predictions
    given: tuple[str, ...]
    inputs: tuple[tuple[str, ...], ...]


class Reader:
    """Reads the photographs of a table and has the model say what it makes of them.

    unreadable: record -> why, of those that could not be read; complete when `said` has ended.
    """

    def __init__(self, artefact: Artefact, processes: int, progress: Progress) -> None:
        self._artefact = artefact
        self._processes = processes
        self._progress = progress
        self.unreadable: dict[str, str] = {}

    def said(self, table: pd.DataFrame) -> Iterator[Said]:
        """Batches of the records whose photographs can be read, in the table's order."""
        size, full = self._artefact.config.model.image.size, self._artefact.config.evaluation.batch_size
        rows: list[int] = []
        held: list[Array] = []
        self._progress(0, len(table))
        for row, (photograph, pixels) in enumerate(read_photographs(table, size, self._processes)):
            if pixels is None:
                self.unreadable[photograph.record] = photograph.problem
            else:
                rows.append(row)
                held.append(pixels)
            if len(rows) == full:
                yield self._batch(table.iloc[rows], np.stack(held))
                rows, held = [], []
            self._progress(row + 1, len(table))
        if rows:
            yield self._batch(table.iloc[rows], np.stack(held))

    def _batch(self, table: pd.DataFrame, pixels: Array) -> Said:
        artefact = self._artefact
        table = table.reset_index(drop=True)
        dataset = SiteDataset(table, in_memory(table, pixels), artefact.tokenizer, artefact.standardisation)
        found = predict(
            artefact.model,
            dataset,
            np.arange(len(table)),
            {},
            mask_notes=artefact.config.losses.mask_notes,
            batch_size=len(table),
        )
        inputs = _inputs(dataset, artefact.model.config.inputs)
        given = tuple("image" if names == ("image",) else "all" for names in inputs)
        return Said(found, given, inputs)


def read_photographs(table: pd.DataFrame, size: int, processes: int) -> Iterator[Reading]:
    """Every photograph of a table with its pixels (3, size, size), or with its problem, in order."""
    rows = zip(table["record_id"], table["image_path"], strict=True)
    wanted = [Photograph(str(record), "", str(path), Source.of(str(path))) for record, path in rows]
    return readings(wanted, size, processes, Earlier(None, None, 0)) if wanted else iter(())


@dataclass(frozen=True, eq=False)
class _Held:
    pixels: Array

    def batch(self, positions: NDArray[np.int64]) -> Array:
        """A copy of the pixels (len(positions), 3, size, size)."""
        return self.pixels[positions]


def in_memory(table: pd.DataFrame, pixels: Array) -> ImageStore:
    """The photographs of a table as a store that lies on no disk; pixels: (N, 3, size, size)."""
    records = tuple(str(record) for record in table["record_id"])
    size = pixels.shape[-1]
    return ImageStore(
        path=Path("in memory"),
        size=size,
        pipeline=PIPELINE_VERSION,
        records=records,
        digests={},
        index=ImageIndex("", size, PIPELINE_VERSION, ()),
        vault=None,
        _pixels=_Held(pixels),
        _positions={record: position for position, record in enumerate(records)},
    )


def _inputs(dataset: SiteDataset, reads: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The modalities that each record is graded from."""
    noted = (dataset.note_group != NO_NOTE).tolist()
    filled = dataset.structured_present.tolist()
    return tuple(
        (
            "image",
            *(("text",) if note and "text" in reads else ()),
            *(("structured",) if form and "structured" in reads else ()),
        )
        for note, form in zip(noted, filled, strict=True)
    )
