"""What binned scores say about the exact figures: always true, and as narrow as the bins' masses allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared_model.evaluation import BINS, EDGES, Histogram, bin_of
from shared_model.metrics.referable import Curve, by_score
from shared_model.statistics import Counts

Scores = NDArray[np.float64]

# Scores that repeat, lie on edges, and lie beside them.
SCORE = st.one_of(
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 0.5, *EDGES[::7].tolist(), *np.nextafter(EDGES[::7], 0).tolist()]),
)
SAMPLES = st.lists(st.tuples(st.booleans(), SCORE), min_size=2, max_size=60)


def merged(bins: NDArray[np.int64], starts: list[int]) -> Counts:
    """The table of these bins with only the given groups of bins told."""
    begins = tuple(sorted({0, *starts}))
    counts = np.bincount(np.searchsorted(begins, bins, side="right") - 1, minlength=len(begins))
    return Counts(BINS, begins, tuple(int(n) for n in counts))


def histogram(
    truth: NDArray[np.bool_], score: Scores, starts: tuple[list[int], list[int]] | None = None
) -> Histogram:
    bins = bin_of(score)
    groups = starts or (list(range(BINS)), list(range(BINS)))
    return Histogram.of([merged(bins[truth], groups[0])], [merged(bins[~truth], groups[1])])


def exact(truth: NDArray[np.bool_], score: Scores) -> Curve:
    return Curve(*by_score(truth, score)[:2])


STARTS = st.lists(st.integers(1, BINS - 1), max_size=12)


@settings(max_examples=300, deadline=None)
@given(SAMPLES, st.one_of(st.none(), st.tuples(STARTS, STARTS)))
def test_the_exact_figures_lie_within_the_bounds_whatever_was_merged(samples, starts) -> None:
    truth, score = (np.array(column) for column in zip(*samples, strict=True))
    if truth.all() or not truth.any():
        assert histogram(truth, score, starts).auroc() is None
        return
    found, curve = histogram(truth, score, starts), exact(truth, score)
    at = {s: found.sensitivity_at(s) for s in (0.9, 0.95)}
    pairs = [
        (found.auroc(), curve.auroc()),
        (found.average_precision(), curve.average_precision()),
        *((at[s][0], curve.sensitivity_at(s)[0]) for s in at),
    ]
    for (low, high), value in pairs:
        assert -1e-12 <= low <= high + 1e-12 <= 1 + 2e-12
        assert low - 1e-12 <= value <= high + 1e-12
    for specificity, (bounds, threshold) in at.items():
        if threshold is not None:
            referred = score >= threshold
            assert (~referred[~truth]).mean() >= specificity - 1e-9
            assert referred[truth].mean() >= bounds[0] - 1e-12


@settings(max_examples=200, deadline=None)
@given(SAMPLES)
def test_the_auroc_lies_within_half_the_pairs_that_share_a_bin(samples) -> None:
    truth, score = (np.array(column) for column in zip(*samples, strict=True))
    if truth.all() or not truth.any():
        return
    low, high = histogram(truth, score).auroc()
    bins = bin_of(score)
    p, n = (np.bincount(bins[side], minlength=BINS) for side in (truth, ~truth))
    assert (high - low) / 2 == pytest.approx((p * n).sum() / (2 * p.sum() * n.sum()), abs=1e-12)
    assert abs(exact(truth, score).auroc() - (low + high) / 2) <= (high - low) / 2 + 1e-12


def test_the_bounds_are_reached() -> None:
    """Two photographs in one bin may be in either order: nothing narrower would be true."""
    inside = (EDGES[49] + EDGES[50]) / 2
    truth = np.array([True, False])
    for score, value in ((np.array([inside, inside - 1e-4]), 1.0), (np.array([inside - 1e-4, inside]), 0.0)):
        assert histogram(truth, score).auroc() == (0.0, 1.0)
        assert exact(truth, score).auroc() == value


def test_scores_in_bins_of_their_own_leave_nothing_open() -> None:
    score = np.concatenate([[0.0], EDGES])
    truth = np.random.default_rng(0).random(BINS) < 0.5
    found, curve = histogram(truth, score), exact(truth, score)
    assert found.auroc() == pytest.approx((float(curve.auroc()),) * 2)
    for specificity in (0.9, 0.95):
        bounds, threshold = found.sensitivity_at(specificity)
        value, place = curve.sensitivity_at(specificity)
        assert bounds == pytest.approx((float(value),) * 2)
        assert threshold == score[place]


def test_sites_add_up_in_any_order() -> None:
    generator = np.random.default_rng(1)
    truth, score = generator.random(200) < 0.3, generator.random(200)
    halves = [np.arange(200) < 80, np.arange(200) >= 80]
    tables = [
        [merged(bin_of(score[half & side]), list(range(0, BINS, step))) for side in (truth, ~truth)]
        for half, step in zip(halves, (1, 5), strict=True)
    ]
    one, other = (Histogram.of(*zip(*order, strict=True)) for order in (tables, tables[::-1]))
    assert one.auroc() == other.auroc()
    assert one.average_precision() == pytest.approx(other.average_precision())
    assert one.positives == truth.sum()
