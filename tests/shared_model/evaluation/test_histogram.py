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


LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0])


@settings(max_examples=300, deadline=None)
@given(SAMPLES, st.one_of(st.none(), st.tuples(STARTS, STARTS)), LEVELS)
def test_a_threshold_keeps_its_promise_on_the_exact_scores_whatever_was_merged(
    samples, starts, level
) -> None:
    truth, score = (np.array(column) for column in zip(*samples, strict=True))
    found = histogram(truth, score, starts)
    if (cleared := found.clears(level)) is not None:
        threshold, least = cleared
        assert level - 1e-9 <= least <= (score[truth] >= threshold).mean() + 1e-9
    if (trusted := found.trusts(level, 3)) is not None:
        threshold, least, n = trusted
        kept = score >= threshold
        assert level - 1e-9 <= least <= truth[kept].mean() + 1e-9
        assert 3 <= n <= kept.sum()
    if not truth.all() and (place := found.sensitivity_at(level)) is not None and place[1] is not None:
        spared = found.spared(place[1])
        assert level - 1e-9 <= spared <= (score[~truth] < place[1]).mean() + 1e-9


def test_thresholds_of_bins_that_stand_alone_are_as_good_as_the_bins_allow() -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(4000) < 0.3
    score = 1 / (1 + np.exp(-generator.normal(2.0 * truth, 1.5)))
    found = histogram(truth, score)
    threshold, _ = found.clears(0.95)
    assert (score[truth] >= threshold).mean() == pytest.approx(0.95, abs=0.02)
    threshold, share, n = found.trusts(0.6, 20)
    kept = score >= threshold
    assert (share, n) == (pytest.approx(truth[kept].mean()), kept.sum())
    finer = [s for s in np.sort(score) if truth[score >= s].mean() >= 0.6]
    assert kept.sum() >= 0.9 * (score >= finer[0]).sum()


def test_there_is_no_threshold_where_there_is_nothing_to_promise_it_on() -> None:
    nobody = Histogram.of([], [])
    assert nobody.clears(0.9) is None
    assert nobody.trusts(0.9, 1) is None
    everyone = histogram(np.array([True, False] * 30), np.full(60, 0.5))
    assert everyone.trusts(0.9, 20) is None
