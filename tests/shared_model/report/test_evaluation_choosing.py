"""Which cases the page shows, and the band of the ROC, against brute force."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from shared_model.metrics import Predictions, bootstrap, calibrated
from shared_model.report.evaluation import chosen_searches, hardest
from shared_model.report.evaluation.roc import band
from tests.shared_model.test_report_sample import predictions


@pytest.fixture(scope="module")
def made() -> Predictions:
    return predictions(0.7, seed=4, size=160)


def test_a_search_shows_the_nearest_photographs_in_order(made: Predictions) -> None:
    noted = [i for i in range(len(made)) if made.note[i] >= 0]
    pair = made.embeddings["unimodal"]
    unit = {side: v / np.linalg.norm(v, axis=1, keepdims=True) for side, v in pair.items()}
    for choice in chosen_searches(made):
        scores = {i: float(unit["image"][i] @ unit["text"][choice.query]) for i in noted}
        ranked = sorted(noted, key=lambda i: -scores[i])
        assert list(choice.found) == ranked[:5]
        assert choice.own.rank == ranked.index(choice.query) + 1
        same = [i for i in noted if made.note[i] == made.note[choice.query]]
        assert choice.first.rank == min(ranked.index(i) for i in same) + 1
        assert (choice.copies, choice.gallery) == (len(same), len(noted))


def test_searches_run_from_the_best_to_the_worst_and_each_asks_another_note(made: Predictions) -> None:
    every = chosen_searches(made, count=10_000)
    few = chosen_searches(made, count=6)
    assert len(every) == len(np.unique(made.note[made.note >= 0]))
    assert [c.first.rank for c in every] == sorted(c.first.rank for c in every)
    assert (few[0], few[-1]) == (every[0], every[-1])
    assert len({int(made.note[c.query]) for c in few}) == 6


def test_a_collapsed_model_finds_nothing_first(made: Predictions) -> None:
    """Every photograph has one vector, so that no order of them means anything."""
    image = np.tile(np.float32([0.3, -0.7, 0.1, 0.2]), (len(made), 1))
    text = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    collapsed = replace(made, embeddings={"unimodal": {"image": image, "text": text}})
    for choice in chosen_searches(collapsed, count=10_000):
        assert choice.own.tied == choice.gallery
        assert choice.own.rank == (choice.gallery + 1) / 2
        assert choice.first.rank == (choice.gallery + 1) / (choice.copies + 1)


def test_a_place_in_a_tie_is_the_mean_over_its_orders() -> None:
    made = predictions(0.7, seed=4, size=6)
    image = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 2, 2]]
    note, text = np.array([0, 1, 1, 2, 3, 4]), np.tile(np.float32([0.9, 0.5, 0.1]), (6, 1))
    tied = replace(made, note=note, embeddings={"unimodal": {"image": image, "text": text}})
    found = {int(note[c.query]): (c.own, c.first) for c in chosen_searches(tied)}
    assert [found[n][0].rank for n in range(5)] == [1, 3, 3, 5.5, 5.5]
    orders = np.array(list(permutations([True, True, False])))  # which of the three has note 1
    first = found[1][1]
    assert first.rank == pytest.approx(1 + np.mean(orders.argmax(axis=1) + 1))
    assert (first.tied, first.others) == (3, 1)


def test_without_two_notes_or_with_a_vector_that_is_no_number_nothing_is_searched(made: Predictions) -> None:
    assert chosen_searches(made.select(np.array([int(np.flatnonzero(made.note >= 0)[0])]))) == []
    image = made.embeddings["unimodal"]["image"].copy()
    image[np.flatnonzero(made.note >= 0)[0]] = np.nan
    broken = {"unimodal": {**made.embeddings["unimodal"], "image": image}}
    assert chosen_searches(replace(made, embeddings=broken)) == []


def test_the_hardest_errors_are_errors_and_the_furthest_and_surest_come_first(made: Predictions) -> None:
    temperature = np.linspace(0.5, 2.0, len(made))  # as the folds of a cross-validation have
    found = hardest(made, "icdr", temperature, count=10_000)
    truth = made.truth["icdr"]
    probability = calibrated(made.scores("icdr", "all"), temperature)
    wrong = {i for i in range(len(made)) if probability[i].argmax() != truth[i]}
    assert {position for position, _ in found} == wrong
    cost = [sum(p * (grade - truth[i]) ** 2 for grade, p in enumerate(row)) for i, row in found]
    assert cost == sorted(cost, reverse=True)
    np.testing.assert_allclose(found[0][1], probability[found[0][0]])


def test_a_score_that_is_no_number_or_has_no_label_is_no_error(made: Predictions) -> None:
    worst = hardest(made, "icdr", 1.0)[0][0]
    made.probabilities["icdr"]["all"][worst] = np.nan
    assert worst not in {position for position, _ in hardest(made, "icdr", 1.0, count=10_000)}


def test_the_band_is_that_of_resampled_curves_by_scikit_learn() -> None:
    made = predictions(0.6, seed=2, size=120)
    random = np.random.default_rng(0)
    noisy = made.probabilities["icdr"]["all"] + random.random((120, 5)).astype(np.float32).round(1)  # ties
    noisy /= noisy.sum(axis=1, keepdims=True)
    made = replace(made, probabilities={**made.probabilities, "icdr": {"all": noisy}}, truth=made.truth)
    score, truth = noisy[:, 2:].astype(np.float64).sum(axis=1), made.truth["icdr"] >= 2
    order = np.argsort(-score, kind="stable")

    def heights(weights: np.ndarray) -> np.ndarray:
        curves = [
            roc_curve(truth[order], score[order], sample_weight=row, drop_intermediate=False)
            for row in weights
        ]
        return np.stack([np.interp(np.linspace(0, 1, 101), false, found) for false, found, _ in curves])

    values, count = bootstrap.weighted(made.patient[order], heights, 60, 3)
    expected = np.array([bootstrap.interval_of(column, count) for column in values.T])
    limits = band(made, "icdr", "all", 60, 3)
    assert limits is not None
    np.testing.assert_allclose(np.stack(limits, axis=1), expected, atol=1e-9)


def test_one_patient_or_one_class_has_no_band() -> None:
    made = predictions(0.6, seed=2, size=120)
    assert band(made.select(made.patient == "p0"), "icdr", "all", 50, 0) is None
    healthy = replace(made, truth={task: np.zeros_like(truth) for task, truth in made.truth.items()})
    assert band(healthy, "icdr", "all", 50, 0) is None
