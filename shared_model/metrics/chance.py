"""How wide a gap chance alone makes between subgroups that do not differ: the best of them minus the worst.

Of several groups one is always best and one worst, so the interval of the difference between these two, picked
because they lie furthest apart, holds 0 far too seldom. What a gap has to beat is the gap that the same choice finds
once group labels are dealt anew over patients. Labels move only where data would look the same had they been dealt
so: between patients of one group each, and within a patient of several (the eyes of one patient change sides).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics import bootstrap
from shared_model.metrics.grading import METRICS, Floats
from shared_model.metrics.predictions import Labels
from shared_model.randomness import numpy_generator
from shared_model.records import GRADES

PERMUTATIONS = 1000
LEVEL = 0.05  # how often groups that do not differ may be said to
MINIMUM_EXCHANGED = 10  # patients whose labels can change places, before two groups can be told from chance
_BLOCK = 2**22  # permutations x parts of patients dealt at once
_SAME = 1e-9  # gaps closer than this are equal: they come from sums in another order

Texts = NDArray[np.str_]


def gaps_by_chance(
    truth: Labels,
    predicted: Labels,
    patients: Texts,
    groups: Texts,
    figures: Sequence[str],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Floats] | None:
    """Figure of METRICS -> (permutations,) gaps between two groups or more whose labels were dealt anew.

    All (N,), every sample graded and of a known group. NaN where fewer than two groups have the figure. None where
    groups share patients in a way that leaves two of them without labels to exchange.
    """
    names, group = np.unique(groups, return_inverse=True)
    patient = np.unique(patients, return_inverse=True)[1]
    # A part is what one patient has in one group; parts of a patient stand beside each other.
    parts, part = np.unique(patient * len(names) + group, return_inverse=True)
    label, owner = parts % len(names), parts // len(names)
    size = np.bincount(owner)[owner]
    if not _exchangeable(label, size, owner, len(names)):
        return None
    counts = bootstrap.cells_of(truth, predicted, part, len(parts)).reshape(len(parts), -1)
    found: dict[str, list[Floats]] = {name: [] for name in figures}
    for dealt in _deals(label, size, permutations, numpy_generator(seed, "subgroup gaps")):
        sums = np.stack([(dealt == g).astype(np.float64) @ counts for g in range(len(names))], axis=1)
        matrices = sums.reshape(len(dealt), len(names), GRADES, GRADES)
        for name in figures:
            found[name].append(_widest(METRICS[name](matrices)))
    return {name: np.concatenate(values) for name, values in found.items()}


def against_chance(gap: float, by_chance: Floats) -> dict[str, Any]:
    """p, chance (the gap that LEVEL of the permutations exceed) and more_than_chance; None where the figure does not
    exist in a tenth of the permutations, or there are too few.
    """
    defined = np.sort(by_chance[np.isfinite(by_chance)])
    place = int(np.ceil((1 - LEVEL) * (len(defined) + 1)))  # the gap itself is one more permutation
    if len(defined) < bootstrap.MIN_DEFINED * len(by_chance) or place > len(defined):
        return dict.fromkeys(("p", "chance", "more_than_chance"))
    limit = float(defined[place - 1])
    as_wide = int((defined >= gap - _SAME).sum())
    return {
        "p": (1 + as_wide) / (1 + len(defined)),
        "chance": limit,
        "more_than_chance": gap > limit + _SAME,
    }


def _deals(
    label: NDArray[np.intp], size: NDArray[np.intp], permutations: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int16]]:
    """Blocks of (block, parts) labels, dealt anew in every row."""
    rows = max(1, _BLOCK // len(label))
    single = np.flatnonzero(size == 1)
    for start in range(0, permutations, rows):
        dealt = np.tile(label.astype(np.int16), (min(rows, permutations - start), 1))
        dealt[:, single] = generator.permuted(dealt[:, single], axis=1)
        for count in np.unique(size[size > 1]):
            own = np.flatnonzero(size == count).reshape(-1, count)  # (patients, parts of each)
            turn = generator.integers(count, size=(len(dealt), len(own), 1))
            place = (np.arange(count) + turn) % count
            dealt[:, own.ravel()] = label[own[np.arange(len(own))[:, None], place]].reshape(len(dealt), -1)
        yield dealt


def _exchangeable(
    label: NDArray[np.intp], size: NDArray[np.intp], owner: NDArray[np.intp], groups: int
) -> bool:
    """Whether labels can travel from any group to any other, if need be by way of a third."""
    alone = np.bincount(label[size == 1], minlength=groups) >= MINIMUM_EXCHANGED
    held = np.zeros((int(owner.max(initial=-1)) + 1, groups), dtype=bool)
    held[owner, label] = True
    shared = held.astype(np.int64).T @ held >= MINIMUM_EXCHANGED
    reached = {0}
    for _ in range(groups):
        reached |= {
            b if a in reached else a
            for a, b in combinations(range(groups), 2)
            if (a in reached) != (b in reached) and ((alone[a] and alone[b]) or shared[a, b])
        }
    return len(reached) == groups


def _widest(values: Floats) -> Floats:
    """(R, groups) -> (R,) the largest minus the smallest of those that exist; NaN with fewer than two."""
    known = np.isfinite(values)
    gap = np.where(known, values, -np.inf).max(axis=1) - np.where(known, values, np.inf).min(axis=1)
    return np.where(known.sum(axis=1) >= 2, gap, np.nan)
