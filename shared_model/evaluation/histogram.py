"""Referable scores in fixed bins, and what they certainly say about figures that need the scores themselves.

Where a bin holds one side only, its order is known; what is open is the order within a bin, or within the bins a
site has merged. Every bound below is reached by some scores that fall into the same bins. With every bin standing
alone, the AUROC lies within half the mass of the pairs that share a bin: sum over bins of p_b n_b / (2 P N).

Write `surely(b)` for how many lie at bin b or above whatever the merging hides, `maybe(b)` for how many may.
Scores within (0, 1) are spread by their logit: models are sure of most photographs, and the bins are where the
scores are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.grading import Floats
from shared_model.statistics import Counts

BINS = 100
EDGES = 1.0 / (1.0 + np.exp(-np.linspace(-8.0, 8.0, BINS - 1)))  # inner edges; the first bin starts at 0

Bounds = tuple[float, float]
_Ints = NDArray[np.int64]


def bin_of(score: Floats) -> _Ints:
    """(N,) bin of each probability; a score on an edge belongs to the bin above."""
    return np.searchsorted(EDGES, score, side="right").astype(np.int64)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Groups of neighbouring bins of all sites: first and last bin and count, for both sides.

    positive, negative: (groups, 3). Figures are (lowest, highest) possible; None where one side is empty.
    """

    positive: _Ints
    negative: _Ints

    @classmethod
    def of(cls, positive: Iterable[Counts], negative: Iterable[Counts]) -> Histogram:
        """The tables of all sites as one; their order does not matter."""
        return cls(_groups(positive), _groups(negative))

    @property
    def positives(self) -> int:
        """Referable photographs."""
        return int(self.positive[:, 2].sum())

    @property
    def negatives(self) -> int:
        """The others."""
        return int(self.negative[:, 2].sum())

    def auroc(self) -> Bounds | None:
        """Bounds of the area under the ROC curve, ties of the exact scores counting half."""
        if not (self.positives and self.negatives):
            return None
        surely, maybe = _above(self.negative)
        first, last, n = self.positive.T
        # A positive beats at least the negatives surely below its first bin, at most those maybe up to its last.
        low = (n * (self.negatives - maybe[first])).sum()
        high = (n * (self.negatives - surely[last + 1])).sum()
        pairs = self.positives * self.negatives
        return float(low / pairs), float(high / pairs)

    def average_precision(self) -> Bounds | None:
        """Bounds of the average precision, each distinct score being a threshold."""
        if not (self.positives and self.negatives):
            return None
        surely, maybe = _above(self.negative)
        return self._least_precision(maybe), self._most_precision(surely)

    def sensitivity_at(self, specificity: float) -> tuple[Bounds, float | None] | None:
        """Bounds of the best sensitivity at this specificity or more, and the lowest of the bins' edges that surely
        has that specificity as a threshold; None where only referring nobody has.
        """
        if not (self.positives and self.negatives):
            return None
        surely, maybe = _above(self.positive)
        wrongly_surely, wrongly_maybe = _above(self.negative)
        allowed = (1.0 - specificity) * self.negatives + 1e-9 * self.negatives
        edge = int(np.argmax(wrongly_maybe <= allowed))  # a threshold at this bin's lower edge is safe
        # A threshold within bin b refers at least what is surely above the bin, at most what may be in it.
        best = int(np.argmax(wrongly_surely[1:] <= allowed))
        bounds = float(surely[edge] / self.positives), float(maybe[best] / self.positives)
        return bounds, float(np.concatenate([[0.0], EDGES])[edge]) if edge < BINS else None

    def spared(self, edge: float) -> float:
        """The lowest share of the negatives (one at least) that may lie below one of the bins' edges."""
        _, maybe = _above(self.negative)
        place = int(np.searchsorted(EDGES, edge, side="right")) if edge else 0
        return float(1.0 - maybe[place] / self.negatives)

    def clears(self, sensitivity: float) -> tuple[float, float] | None:
        """The highest of the bins' edges below which so few positives may lie that this sensitivity is surely kept, and
        the lowest sensitivity it may have; None where there is no positive or that edge is 0.
        """
        if not self.positives:
            return None
        surely, _ = _above(self.positive)
        edge = int(np.flatnonzero(surely >= sensitivity * self.positives * (1 - 1e-12))[-1])
        if not 0 < edge < BINS:
            return None
        return float(EDGES[edge - 1]), float(surely[edge] / self.positives)

    def trusts(self, share: float, fewest: int) -> tuple[float, float, int] | None:
        """The lowest of the bins' edges from which on at least this share is surely positive, that share at its lowest
        and how many of both sides surely lie there (`fewest` or more); None where there is none.
        """
        good, _ = _above(self.positive)
        surely, bad = _above(self.negative)
        enough = (good + surely >= fewest) & (good >= share * (good + bad) * (1 - 1e-12))
        if not enough[:BINS].any():
            return None
        edge = int(np.argmax(enough))
        least = float(good[edge] / (good[edge] + bad[edge]))
        return float(np.concatenate([[0.0], EDGES])[edge]), least, int(good[edge] + surely[edge])

    def _least_precision(self, maybe: _Ints) -> float:
        """The j-th positive from the top has j true ones at its score, and no more false ones than may be there."""
        order = np.argsort(-self.positive[:, 0], kind="stable")
        first = np.repeat(self.positive[order, 0], self.positive[order, 2])
        rank = np.arange(1, len(first) + 1)
        return float((rank / (rank + maybe[first])).mean())

    def _most_precision(self, surely: _Ints) -> float:
        """At a score in bin b: at most the positives that may be in b or above, at least the negatives surely above."""
        _, reached = _above(self.positive)
        precision = reached[:-1] / np.maximum(1, reached[:-1] + surely[1:])  # (BINS,)
        best = [precision[first : last + 1].max() for first, last, _ in self.positive]
        return float(np.average(best, weights=self.positive[:, 2]))


def _above(groups: _Ints) -> tuple[_Ints, _Ints]:
    """(BINS + 1,) each: how many are surely, and may be, in a bin or above; none is above the last."""
    first, last, n = groups.T
    found = [
        np.bincount(at, weights=n, minlength=BINS + 1)[::-1].cumsum()[::-1].astype(np.int64)
        for at in (first, last)
    ]
    return found[0], found[1]


def _groups(tables: Iterable[Counts]) -> _Ints:
    rows = [group for table in tables for group in table.groups() if group[2]]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
