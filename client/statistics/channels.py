"""The colours of a site's training photographs: sums over all pixels of each channel, exact whatever their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from client.data.images import ImageStore
from shared_model.statistics import CHANNELS, Photographs

_CHUNK = 256  # photographs in memory at once
_LEVELS = np.arange(256)


def channel_sums(images: ImageStore, indices: NDArray[np.int64]) -> Photographs:
    """Sums of these photographs of the store."""
    counts = np.zeros((CHANNELS, 256), dtype=np.int64)
    for start in range(0, len(indices), _CHUNK):
        pixels = images.batch(indices[start : start + _CHUNK])
        for channel in range(CHANNELS):
            counts[channel] += np.bincount(pixels[:, channel].reshape(-1), minlength=256)
    # Whole numbers up to here: the sums are exact and do not depend on the order of photographs.
    return Photographs(
        pixels=len(indices) * images.size**2,
        sum=tuple(float(total) / 255 for total in counts @ _LEVELS),
        sum_of_squares=tuple(float(total) / 255**2 for total in counts @ _LEVELS**2),
    )


def channel_means(images: ImageStore, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """(len(indices), 6): of each photograph, each channel's mean and then each channel's mean square, in [0, 1]."""
    rows = []
    for index in indices:
        pixels = images.batch([index])[0].reshape(CHANNELS, -1).astype(np.float64) / 255
        rows.append(np.concatenate([pixels.mean(axis=1), (pixels**2).mean(axis=1)]))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2 * CHANNELS)


def held_positions(images: ImageStore, records: list[str]) -> NDArray[np.int64]:
    """(N,): each record's position in the store, -1 where it is not held."""
    held = set(images.records)
    return np.array([images.index_of(r) if r in held else -1 for r in records], dtype=np.int64)
