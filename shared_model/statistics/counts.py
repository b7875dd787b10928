"""A table of counts whose neighbouring cells may have been added together, and what is made of several.

A site adds small cells to their neighbours rather than blanking them, so that totals stay right. Where every
cell of every site stands alone, tables pool exactly. Elsewhere a group is shared out over its cells in
proportion to what the others show, the usual estimate for grouped data (Dempster, Laird and Rubin, 1977,
section 4.2); it is marked as an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.statistics.reading import count

_Cells = NDArray[np.float64]
_STEPS = 50  # of the estimate: it is a scale for inputs, not a result


@dataclass(frozen=True, order=True)
class Counts:
    """Counts of `cells` cells. starts: the first cell of each group, ascending from 0; counts: of each group."""

    cells: int
    starts: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def whole(cls, counts: Sequence[int]) -> Counts:
        """A table of which every cell stands alone."""
        return cls(len(counts), tuple(range(len(counts))), tuple(int(value) for value in counts))

    @classmethod
    def from_dict(cls, message: Mapping[str, Any], cells: int) -> Counts:
        """The table in a message. Raises KeyError, ValueError or TypeError for a malformed one."""
        starts = tuple(count(start) for start in message["starts"])
        counts = tuple(count(value) for value in message["counts"])
        ascending = all(first < second for first, second in zip(starts, starts[1:], strict=False))
        if len(starts) != len(counts) or not ascending or starts[:1] != (0,) or starts[-1] >= cells:
            raise ValueError("the groups of a table do not fit its cells")
        return cls(cells, starts, counts)

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        return {"starts": list(self.starts), "counts": list(self.counts)}

    @property
    def total(self) -> int:
        """How many there are in all cells."""
        return sum(self.counts)

    @property
    def merged(self) -> bool:
        """Whether any cells were added together."""
        return len(self.starts) < self.cells

    def groups(self) -> Iterator[tuple[int, int, int]]:
        """(first cell, last cell, count) of every group."""
        ends = (*self.starts[1:], self.cells)
        return ((a, b - 1, n) for a, b, n in zip(self.starts, ends, self.counts, strict=True))

    def shared_out(self, weights: _Cells) -> _Cells:
        """(cells,): each group's count over its cells in proportion to the weights, which are positive."""
        sizes = np.diff((*self.starts, self.cells))
        return weights * np.repeat(np.array(self.counts) / np.add.reduceat(weights, self.starts), sizes)


def pooled(
    tables: Sequence[Counts], cells: int, shape: Callable[[_Cells], _Cells] | None = None
) -> tuple[tuple[float, ...], list[_Cells]]:
    """The sum of the tables, and each table's own cells, in the order given.

    Whole numbers where nothing was merged. shape: the weights that a pooled table suggests for its cells; by
    default the pooled table itself. The same bits whatever the order of the tables.
    """
    ordered = sorted(tables)
    if not any(table.merged for table in ordered):
        columns = zip(*(table.counts for table in ordered), strict=True)
        return tuple(map(sum, columns)) or (0,) * cells, [np.array(t.counts, np.float64) for t in tables]
    weights = np.ones(cells)
    for _ in range(_STEPS):
        total = np.sum([table.shared_out(weights) for table in ordered], axis=0)
        suggested = total if shape is None else shape(total)
        weights = suggested + 1e-9 * max(1.0, float(suggested.max()))
    total = np.sum([table.shared_out(weights) for table in ordered], axis=0)
    return tuple(float(value) for value in total), [table.shared_out(weights) for table in tables]


def normal_curve(total: _Cells) -> _Cells:
    """The bell curve with the mean and spread of a pooled table: how a group of years is shared out.

    Spreading a wide outer group ("85 and older") evenly would add years that nobody has.
    """
    cells, n = np.arange(len(total)), float(total.sum())
    if n <= 0:
        return np.ones(len(total))
    mean = float(total @ cells) / n
    variance = max(float(total @ (cells - mean) ** 2) / n, 0.25)
    curve: _Cells = np.exp(-((cells - mean) ** 2) / (2 * variance))
    return curve


def median(counts: Sequence[float]) -> float:
    """The median of cells numbered from 0: the middle of the two middle ones; within its cell for an estimate."""
    cumulative = np.cumsum(counts)
    if any(value != int(value) for value in counts):
        half = float(cumulative[-1]) / 2
        cell = int(np.searchsorted(cumulative, half))
        before = float(cumulative[cell - 1]) if cell else 0.0
        return max(0.0, cell - 0.5 + (half - before) / counts[cell])
    middle = [(int(cumulative[-1]) - 1) // 2, int(cumulative[-1]) // 2]
    return float(np.searchsorted(cumulative, middle, side="right").mean())
