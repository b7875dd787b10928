"""The leak guard: another photograph beside every note, and no unimodal vector may change by a single bit.

The source paper read its vectors after image and text had seen each other, and so retrieved pairs of pure noise.
What the figures are made of goes through `predict`, and so does this. Each side is compared where it stayed in its
place, so that neither batches nor rounding can excuse a difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.inference.predict import predict
from shared_model.metrics.predictions import MISSING, Predictions
from shared_model.model import FusionModel, Tokenizer
from shared_model.randomness import numpy_generator
from shared_model.statistics import Standardisation

LIMIT = 64  # records that are encoded three times
_NOTES = ["note", "masked_note"]


def retrieval_guard(
    model: FusionModel,
    table: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
    *,
    mask_notes: bool = True,
    batch_size: int = 16,
    seed: int = 0,
) -> dict[str, Any]:
    """`guard` of the document, on at most LIMIT records of `table` with a note.

    ran, records; passed: no unimodal vector changed (None where it did not run); changed: how many texts and images
    did; paired_changed: whether any vector of the paired protocol did, as is expected of a model that reads both.
    unavailable: why it did not run, else None.
    """
    if not {"image", "text"} <= set(model.config.inputs):
        return _outcome(0, None, "the model does not read both photographs and notes")
    noted = np.flatnonzero(table["note"].notna().to_numpy()) if standardisation.notes else np.array([], int)
    if len(noted) < 2:
        return _outcome(len(noted), None, "fewer than two records have a note that the model reads")
    chosen = numpy_generator(seed, "retrieval-guard").permutation(noted)[:LIMIT]
    rows = table.iloc[np.sort(chosen)].reset_index(drop=True)
    other = np.roll(np.arange(len(rows)), 1)  # nobody keeps their own

    def encoded(changed: pd.DataFrame) -> Predictions:
        dataset = SiteDataset(changed, images, tokenizer, standardisation)
        order = np.arange(len(dataset))
        return predict(model, dataset, order, {}, mask_notes=mask_notes, batch_size=batch_size)

    photographs, notes = rows.copy(), rows.copy()
    photographs["record_id"] = rows["record_id"].to_numpy()[other]
    notes[_NOTES] = rows[_NOTES].to_numpy()[other]
    return _compared(encoded(rows), encoded(photographs), encoded(notes))


def _compared(as_it_is: Predictions, photographs: Predictions, notes: Predictions) -> dict[str, Any]:
    """Texts are compared where the photographs were moved, photographs where the notes were."""
    moved = {"text": photographs, "image": notes}
    known = as_it_is.note != MISSING
    differ = {
        protocol: {
            side: int(_rows_differ(as_it_is, other, protocol, side)[known].sum())
            for side, other in moved.items()
        }
        for protocol in ("unimodal", "paired")
    }
    return _outcome(len(as_it_is), differ, None)


def _rows_differ(a: Predictions, b: Predictions, protocol: str, side: str) -> NDArray[np.bool_]:
    one, other = a.embeddings[protocol][side], b.embeddings[protocol][side]
    found: NDArray[np.bool_] = (one.view(np.uint32) != other.view(np.uint32)).any(axis=1)
    return found


def _outcome(records: int, differ: dict[str, dict[str, int]] | None, why: str | None) -> dict[str, Any]:
    return {
        "ran": differ is not None,
        "records": records,
        "passed": None if differ is None else not any(differ["unimodal"].values()),
        "changed": None if differ is None else differ["unimodal"],
        "paired_changed": None if differ is None else any(differ["paired"].values()),
        "unavailable": why,
    }
