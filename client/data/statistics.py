"""A site's answer to round 0: sums and counts over its training patients, and over nobody else.

Validation and test patients must not shape the model through its standardisation. Cells under a minimum
count can be held back before anything leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from client.data.images import ImageStore
from shared_model.records import GRADES, TASKS
from shared_model.statistics import BINS, CHANNELS, FLAGS, YEARS, Cell, Photographs, SiteStatistics, Years

_CHUNK = 256  # photographs in memory at once


def site_statistics(
    table: pd.DataFrame, images: ImageStore | None = None, *, minimum_cell: int = 0
) -> dict[str, Any]:
    """The message of round 0 (shared_model.statistics.SiteStatistics as a plain dictionary).

    table: canonical records with their `split`. images: the store that holds their photographs, those not in
    it being left out. minimum_cell: counts from 1 up to, but not including, this one are suppressed, and with
    them the sums that rest on so few.
    """
    train = table[table["split"] == "train"]
    answer = SiteStatistics(
        records=_cell(len(train), minimum_cell),
        patients=_cell(train["patient_id"].nunique(), minimum_cell),
        years={name: _years(train[name], minimum_cell) for name in YEARS},
        flags={name: _flags(train[name], minimum_cell) for name in FLAGS},
        classes={task: _classes(train[task], minimum_cell) for task in TASKS},
        photographs=None if images is None else _photographs(train["record_id"], images, minimum_cell),
    )
    return answer.to_dict()


def _cell(count: int, minimum: int) -> Cell:
    return None if 0 < count < minimum else int(count)


def _years(column: pd.Series, minimum: int) -> Years | None:
    values = column.dropna().to_numpy(dtype=np.float64)
    if _cell(len(values), minimum) is None:
        return None
    counts = np.bincount(np.rint(values).astype(np.int64), minlength=BINS)
    return Years(
        n=len(values),
        sum=float(values.sum()),
        sum_of_squares=float((values * values).sum()),
        histogram=tuple(_cell(count, minimum) for count in counts),
    )


def _flags(column: pd.Series, minimum: int) -> tuple[Cell, ...]:
    return tuple(_cell(int((column == value).sum()), minimum) for value in (0.0, 1.0))


def _classes(column: pd.Series, minimum: int) -> tuple[Cell, ...]:
    counts = column.value_counts()
    return tuple(_cell(int(counts.get(grade, 0)), minimum) for grade in range(GRADES))


def _photographs(records: pd.Series, images: ImageStore, minimum: int) -> Photographs | None:
    held = set(images.records)
    indices = [images.index_of(record) for record in records if record in held]
    if _cell(len(indices), minimum) is None:
        return None
    counts = np.zeros((CHANNELS, 256), dtype=np.int64)
    for start in range(0, len(indices), _CHUNK):
        pixels = images.batch(indices[start : start + _CHUNK])
        for channel in range(CHANNELS):
            counts[channel] += np.bincount(pixels[:, channel].reshape(-1), minlength=256)
    # Whole numbers up to here: the sums are exact and do not depend on the order of photographs.
    levels = np.arange(256)
    return Photographs(
        pixels=len(indices) * images.size**2,
        sum=tuple(float(total) / 255 for total in counts @ levels),
        sum_of_squares=tuple(float(total) / 255**2 for total in counts @ levels**2),
    )
