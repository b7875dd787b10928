"""Risk-coverage and referral against counting every order of a tie."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from shared_model.metrics.referral import (
    MINIMUM_KEPT,
    area,
    area_figures,
    referral,
    referral_threshold,
    risk_coverage,
)

CASES = 200


def one_order(wrong: np.ndarray) -> float:
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def test_the_area_is_the_mean_over_all_orders_of_tied_cases() -> None:
    for seed in range(CASES):
        generator = np.random.default_rng(seed)
        size = int(generator.integers(1, 7))
        uncertainty = generator.integers(0, 3, size) / 2
        wrong = generator.random(size) < 0.5
        orders = [
            one_order(wrong[list(order)])
            for order in itertools.permutations(range(size))
            if (np.diff(uncertainty[list(order)]) >= 0).all()
        ]
        assert area(uncertainty, wrong)[0] == pytest.approx(np.mean(orders))


def test_weights_are_copies_of_cases() -> None:
    for seed in range(50):
        generator = np.random.default_rng(seed)
        uncertainty, wrong = generator.integers(0, 6, 12) / 2, generator.random(12) < 0.4
        weights = generator.integers(0, 3, 12)
        copied = area(uncertainty.repeat(weights), wrong.repeat(weights)) if weights.sum() else [np.nan]
        assert area(uncertainty, wrong, weights[None].astype(float))[0] == pytest.approx(
            copied[0], nan_ok=True
        )


def test_the_curve_ends_at_the_error_rate_and_falls_for_a_useful_uncertainty() -> None:
    generator = np.random.default_rng(0)
    uncertainty = generator.random(500)
    wrong = generator.random(500) < uncertainty
    found = risk_coverage(uncertainty, wrong)
    assert found["risk"][-1] == pytest.approx(wrong.mean())
    assert found["risk"][19] < 0.5 * found["risk"][-1]
    kept = np.argsort(uncertainty)[:100]
    assert found["risk"][19] == pytest.approx(wrong[kept].mean())
    assert area(uncertainty, wrong)[0] < wrong.mean()
    assert area(np.zeros(500), wrong)[0] == pytest.approx(wrong.mean())


def test_the_threshold_hands_over_as_few_as_the_level_allows() -> None:
    for seed in range(CASES):
        generator = np.random.default_rng(seed)
        size = int(generator.integers(MINIMUM_KEPT, 80))
        uncertainty = np.round(generator.random(size), 1 + seed % 2)
        wrong = generator.random(size) < uncertainty * 0.6
        reached = [
            float(u)
            for u in np.unique(uncertainty)
            if (uncertainty <= u).sum() >= MINIMUM_KEPT and (~wrong[uncertainty <= u]).mean() >= 0.9 - 1e-12
        ]
        assert referral_threshold(uncertainty, wrong, 0.9) == (max(reached) if reached else None)


def test_a_referral_is_also_measured_across_halves_of_the_patients() -> None:
    generator = np.random.default_rng(1)
    uncertainty = generator.random(800)
    wrong = generator.random(800) < uncertainty * 0.5
    patients = np.array([f"p{i // 2}" for i in range(800)])
    found = referral(uncertainty, wrong, patients, 0.9)
    assert found["accuracy_of_rest"] >= 0.9
    assert 0 < found["share_referred"] < 1
    assert found["n_rest"] == round(800 * (1 - found["share_referred"]))
    assert found["across"]["share_referred"] == pytest.approx(found["share_referred"], abs=0.2)
    assert referral(uncertainty, wrong, np.full(800, "p"), 0.9)["across"] is None


def test_a_level_that_is_never_reached_gives_no_threshold_and_says_so() -> None:
    found = referral(np.zeros(50), np.arange(50) % 2 == 0, np.arange(50).astype(str), 0.9)
    assert (found["threshold"], found["share_referred"], found["across"]) == (None, None, None)
    assert "are right at 90%" in found["unavailable"]


def test_a_better_uncertainty_is_told_by_an_interval_below_zero() -> None:
    generator = np.random.default_rng(2)
    wrong = generator.random(600) < 0.3
    patients = np.array([f"p{i // 2}" for i in range(600)])
    ways = {"noise": generator.random(600), "knows": wrong + 0.1 * generator.random(600)}
    found = area_figures(ways, wrong, patients, 200)
    assert found["noise"]["difference"] is None
    low, high = found["knows"]["difference_interval"]
    assert low <= found["knows"]["difference"] <= high < 0
