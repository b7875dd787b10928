"""Where a gallery puts what each query looks for: counts above it and tied with it, never a place in a sort.

Equal items of the gallery are scored once, so that they tie exactly; the gallery is taken in blocks of queries,
so that memory stays bounded on 16,000 photographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shared_model.metrics.grading import Floats

_BLOCK = 2**22  # queries x gallery compared at once

Embedding = NDArray[np.float32] | Floats
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ranks:
    """For each query (n,).

    better, tied: gallery items scored strictly above its counterpart, and those tied with it (itself included).
    before, level, relevant: of the best item that shares the query's note: those above it, those tied with it,
    and how many of these share the note too. precision: average precision of all that share it, ties being one
    threshold.
    """

    better: Ints
    tied: Ints
    before: Ints
    level: Ints
    relevant: Ints
    precision: Floats


def ranked(query: Embedding, gallery: Embedding, note: Ints) -> Ranks:
    """Ranks by cosine of queries (n, D) in a gallery (n, D) whose row i is query i's counterpart.

    note: (n,) ids 0, 1, ... without gaps.
    """
    items, own, copies = np.unique(_unit(gallery), axis=0, return_inverse=True, return_counts=True)
    queries, which = np.unique(_unit(query), axis=0, return_inverse=True)
    holds = csr_array((np.ones(len(own), np.int64), (note, own)), shape=(int(note.max()) + 1, len(items)))
    # Equal queries with the same note are ranked once: half of all notes may be one.
    pairs, pair = np.unique(np.stack([which, note]), axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    counts = np.empty((5, len(own)), dtype=np.int64)
    found = Ranks(counts[0], counts[1], counts[2], counts[3], counts[4], np.empty(len(own)))
    members = np.argsort(pair, kind="stable")
    for first, last in _spans(pairs.shape[1], len(items)):
        chosen = members[slice(*np.searchsorted(pair[members], [first, last]))]
        block = _Block.of(queries[pairs[0, first:last]] @ items.T, copies)
        row = pair[chosen] - first
        found.tied[chosen], found.better[chosen] = block.level(row, block.place[row, own[chosen]])
        same = holds[
            pairs[1, first:last]
        ].toarray()  # (pairs, distinct items): how many with the query's note
        level, before, relevant, precision = block.search(same)
        found.level[chosen], found.before[chosen] = level[row], before[row]
        found.relevant[chosen], found.precision[chosen] = relevant[row], precision[row]
    return found


@dataclass(frozen=True)
class _Block:
    """Q queries over C distinct items. order: (Q, C) items from the best; place: its inverse; total: gallery
    items up to the end of the tie at each place; start, end: first and last place of that tie.
    """

    order: Ints
    place: Ints
    total: Ints
    start: Ints
    end: Ints

    @classmethod
    def of(cls, scores: Floats, copies: NDArray[np.intp]) -> _Block:
        order = np.argsort(-scores, axis=1, kind="stable")
        sorted_scores = np.take_along_axis(scores, order, axis=1)
        places = np.arange(order.shape[1])
        last = np.ones(order.shape, dtype=bool)
        last[:, :-1] = sorted_scores[:, 1:] < sorted_scores[:, :-1]
        end = np.minimum.accumulate(np.where(last, places, len(places))[:, ::-1], axis=1)[:, ::-1]
        begins = np.roll(last, 1, axis=1)  # a tie begins after one ends, the first one at place 0
        start = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.broadcast_to(places, order.shape), axis=1)
        total = np.take_along_axis(copies[order].cumsum(axis=1), end, axis=1)
        return cls(order, place, total, start, end)

    def level(self, row: NDArray[np.intp], place: NDArray[np.intp]) -> tuple[Ints, Ints]:
        """How many gallery items are tied at these places, and how many stand before them."""
        first = self.start[row, place]
        before = np.where(first > 0, self.total[row, first - 1], 0)
        return self.total[row, place] - before, before

    def search(self, same: Ints) -> tuple[Ints, Ints, Ints, Floats]:
        """(Q,) level, before and relevant of the best item that is wanted, and the average precision of them all.

        same: (Q, C) how many copies of each item are wanted, at least one a query.
        """
        wanted = np.take_along_axis(same, self.order, axis=1)
        upto = np.take_along_axis(wanted.cumsum(axis=1), self.end, axis=1)
        rows = np.arange(len(same))
        best = np.argmax(upto > 0, axis=1)
        precision = (wanted * upto / self.total).sum(axis=1) / same.sum(axis=1)
        return *self.level(rows, best), upto[rows, best], precision


def _spans(pairs: int, items: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK // max(1, items))
    return ((first, min(first + step, pairs)) for first in range(0, pairs, step))


def _unit(embedding: Embedding) -> Floats:
    wide = embedding.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Floats = wide / np.maximum(length, np.finfo(np.float64).tiny)
    return unit
