"""The updates of a round, kept in a file until all are there: what a robust rule reads.

Each update takes 4 bytes a number on the disk of the run (5 sites of the paper's model: 0.74 GB) and none of the
memory. They are read back through a memory map, SLICE numbers of every site at a time, so that memory is bounded
by sites x SLICE x 16 bytes, whatever the model's size. The file has no name: a process that is killed leaves none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.aggregation.coordinates import median, trimmed_mean
from server.aggregation.krum import chosen
from shared_model.config.federation import FederationConfig
from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors

SLICE = 2**18  # numbers of each site that are in memory at once


class _Update(NamedTuple):
    site: str
    row: int  # place in the file
    without: frozenset[str]


class WaitingUpdates:
    """The differences of one round's updates to `base`, for trimmed_mean, median, krum and multi_krum.

    config: names the rule, and how many of the updates may be anything. Every update counts the same: a weight that a
    site names itself would let it vote more than once. The order of arrival changes nothing: sites are taken by name.
    """

    def __init__(self, base: Arrays, config: FederationConfig, folder: Path) -> None:
        self._base = {name: base[name] for name in sorted(base)}
        self._config = config
        self._malicious = config.malicious
        self._updates: list[_Update] = []
        self._numbers = sum(array.size for array in base.values())
        self._folder = folder
        with naming_disk_errors(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - close() ends it, with the round

    def add(self, site: str, update: Arrays, weight: int, without: Collection[str] = ()) -> None:
        """Write the update behind the others. Written, not mapped: a full disk is then an error and no signal."""
        row = len(self._updates)
        with naming_disk_errors(self._folder):
            self._file.seek(row * self._numbers * 4)
            for name, base in self._base.items():
                difference = update[name].astype(np.float64) - base
                self._file.write(np.asarray(difference, dtype=np.float32, order="C").tobytes())
            self._file.flush()
        self._updates.append(_Update(site, row, frozenset(without)))

    def onto(self, model: Arrays, caught: int = 0) -> Arrays:
        """The model moved by the rule, made as safe as so many updates can make it.

        A tensor that so few sites trained that they could be overruled stays as it is.
        Raises ZeroDivisionError before anything was added.
        """
        if not self._updates:
            raise ZeroDivisionError("no update was added")
        self._malicious = self._config.tolerated(len(self._updates), caught)
        updates = sorted(self._updates)
        rows = self._rows()
        if self._config.strategy in ("krum", "multi_krum"):
            best = self._chosen(rows, updates)
            updates = [updates[i] for i in best]
        places = dict(self._places())
        return {name: self._moved(rows, updates, name, array, places[name]) for name, array in model.items()}

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def _rows(self) -> NDArray[np.float32]:
        shape = (len(self._updates), self._numbers)
        if not self._numbers:  # an empty file cannot be mapped
            return np.zeros(shape, dtype=np.float32)
        return np.memmap(self._file, dtype=np.float32, mode="r", shape=shape)

    def _places(self) -> Iterator[tuple[str, int]]:
        """Where each tensor begins in a row."""
        start = 0
        for name, array in self._base.items():
            yield name, start
            start += array.size

    def _moved(
        self,
        rows: NDArray[np.float32],
        updates: list[_Update],
        name: str,
        array: NDArray[np.float32],
        start: int,
    ) -> NDArray[np.float32]:
        counted = [update.row for update in updates if name not in update.without]
        if not self._enough(len(counted)):
            return array
        moved = np.empty(array.size, dtype=np.float64)
        for at in range(0, array.size, SLICE):
            end = min(at + SLICE, array.size)
            moved[at:end] = self._combined(np.asarray(rows[counted, start + at : start + end]))
        return np.asarray(array.astype(np.float64) + moved.reshape(array.shape), dtype=np.float32)

    def _enough(self, count: int) -> bool:
        return count > (2 * self._malicious if self._config.strategy in ("trimmed_mean", "median") else 0)

    def _combined(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        if self._config.strategy == "trimmed_mean":
            return trimmed_mean(values, self._malicious)
        if self._config.strategy == "median":
            return median(values)
        return np.asarray(values.mean(axis=0, dtype=np.float64))

    def _chosen(self, rows: NDArray[np.float32], updates: list[_Update]) -> list[int]:
        order = [update.row for update in updates]
        products = np.zeros((len(order), len(order)))
        for at in range(0, self._numbers, SLICE):
            part = np.asarray(rows[order, at : at + SLICE], dtype=np.float64)
            products += part @ part.T
        count = 1 if self._config.strategy == "krum" else len(order) - self._malicious
        return chosen(products, self._malicious, count)
