"""Counts with noise: differential privacy for one answer, the patient being the unit.

Neighbouring data sets differ by one patient, added or removed. A patient enters each table with one photograph
and so changes one cell by one; their colours enter as six numbers clipped to [0, 1]. The discrete Laplace noise
is OpenDP's, drawn exactly and from the operating system (Canonne, Kamath and Steinke, 2020); the budget is split
evenly over the tables, which compose by adding up. Clamping at 0 and everything the coordinator computes is
post-processing. Under noise nothing is merged or withheld: the noise hides small cells, and a cell's being
empty too. Not covered: the number of photographs a site registers when it joins, which client.statistics.answers
guards, and that a site takes part.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shared_model.statistics import BINS, CHANNELS, Counts, Photographs

YEAR_STARTS = tuple(range(0, BINS, 10))  # noise on each single year would drown them
_UNITS = 1000  # steps from 0 to 1 in which colours are counted
_CHANNEL_SUMS = 2 * CHANNELS


def noisy_counts(counts: NDArray[np.int64], budget: float, sensitivity: int = 1) -> list[int]:
    """The counts with noise of privacy budget (epsilon) `budget`, none below 0.

    sensitivity: by how much all counts together (L1) change with one patient.
    """
    # Takes seconds to import, and only a site that adds noise needs it.
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    laplace = dp.m.make_laplace(*space, scale=sensitivity / budget * (1 + 1e-9))
    cost: float = laplace.map(sensitivity)  # type: ignore[no-untyped-call]
    if not cost <= budget:  # OpenDP's own proof of what it costs, rounded up
        raise AssertionError("the noise does not keep to its budget")
    return [max(0, int(value)) for value in laplace(counts.tolist())]


def noisy_table(codes: NDArray[np.int64], cells: int, budget: float) -> Counts:
    """The table of the cells that patients fall into (one code a patient), with noise on each group of it."""
    starts = YEAR_STARTS if cells == BINS else tuple(range(cells))
    groups = np.searchsorted(starts, codes, side="right") - 1
    return Counts(cells, starts, tuple(noisy_counts(np.bincount(groups, minlength=len(starts)), budget)))


def noisy_photographs(means: NDArray[np.float64], pixels: int, budget: float) -> Photographs:
    """Channel sums of one photograph a patient. means: (patients, 6) of channels.channel_means; pixels: of one."""
    steps = np.rint(np.clip(means, 0.0, 1.0) * _UNITS).astype(np.int64)
    totals = np.concatenate([[len(steps) * _UNITS], steps.sum(axis=0)]).astype(np.int64)
    n, *sums = noisy_counts(totals, budget, sensitivity=_UNITS * (1 + _CHANNEL_SUMS))
    patients = math.floor(n / _UNITS + 0.5)
    total = [min(value / _UNITS, patients) * pixels for value in sums[:CHANNELS]]
    squares = [min(v / _UNITS * pixels, s) for v, s in zip(sums[CHANNELS:], total, strict=True)]
    return Photographs(patients * pixels, tuple(map(float, total)), tuple(map(float, squares)))
