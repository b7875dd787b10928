"""Operating points of a federation: those of all validation photographs together, and never a guess."""

from __future__ import annotations

import json

import numpy as np
import pytest

from client.evaluation import scores_answer, temperature_answer
from client.statistics.policy import OPEN, Policy
from server.evaluation import fit_points, fit_temperature
from shared_model.calibration import Calibration
from shared_model.errors import DataError
from shared_model.evaluation import INPUTS, ScoresAnswer
from shared_model.metrics.calibration import calibrated
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.referable import referable_score

SITES = ("North", "South", "West")


def predictions(size: int = 900, seed: int = 0, noise: float = 1.0) -> Predictions:
    generator = np.random.default_rng(seed)
    truth = generator.choice(5, size, p=[0.5, 0.1, 0.2, 0.1, 0.1]).astype(np.int64)
    logits = noise * generator.normal(size=(2, size, 5)) + 3.0 * np.eye(5)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // 2}" for i in range(size)]),
        site=np.array([SITES[(i // 2) % 3] for i in range(size)]),
        truth={"icdr": truth, "sdrg": np.full(size, -1, dtype=np.int64)},
        probabilities={t: dict(zip(INPUTS, scores, strict=True)) for t in ("icdr", "sdrg")},
        note=np.full(size, -1, dtype=np.int64),
        embeddings={},
    )


def fitted(whole: Predictions, policy: Policy, sites: tuple[str, ...] = SITES) -> Calibration:
    parts = [whole.select(whole.site == site) for site in sites]
    calibration = fit_temperature(temperature_answer(part, policy) for part in parts)
    messages = [json.loads(json.dumps(scores_answer(part, calibration, policy))) for part in parts]
    assert fit_points(calibration, messages) == fit_points(calibration, messages[::-1])
    return fit_points(calibration, messages)


@pytest.mark.parametrize("minimum", [0, 5])
def test_each_promise_holds_on_all_validation_photographs_together(minimum: int) -> None:
    whole = predictions()
    calibration = fitted(whole, Policy(minimum_cell=minimum))
    truth = whole.truth["icdr"]
    for given in INPUTS:
        points = calibration.points_of("icdr", given)
        scores = calibrated(whole.scores("icdr", given), calibration.of("icdr", given))
        sure = scores.max(axis=1) >= points.confidence.threshold
        right = (scores.argmax(axis=1) == truth)[sure].mean()
        assert right >= points.confidence.reached - 1e-9 >= 0.9 - 1e-6
        referable = referable_score(scores)
        kept = (referable[truth >= 2] >= points.clear.threshold).mean()
        assert kept >= points.clear.reached - 1e-9 >= 0.95 - 1e-6
        spared = (referable[truth < 2] < points.refer.threshold).mean()
        assert spared >= points.refer.reached - 1e-9 >= 0.9 - 1e-6
        assert (points.clear.n, points.refer.n) == ((truth >= 2).sum(), (truth < 2).sum())
    assert calibration.points_of("sdrg", "all") is None


def test_where_merging_or_the_model_leaves_no_sure_threshold_there_is_none_and_why() -> None:
    few = fitted(predictions(60), Policy(minimum_cell=10)).points_of("icdr", "all")
    for threshold in (few.confidence, few.clear, few.refer):
        assert threshold.threshold is None
        assert "photographs" in threshold.unavailable
    useless = predictions()
    for scores in useless.probabilities["icdr"].values():
        scores[:] = 0.2
    points = fitted(useless, OPEN).points_of("icdr", "all")
    assert points.confidence.threshold is None
    assert "surely right at 90%" in points.confidence.unavailable


def test_a_site_that_may_not_tell_leaves_the_others_their_points() -> None:
    whole = predictions()
    small = whole.select(whole.site == "West").select(np.arange(8))
    message = scores_answer(small, Calibration(), Policy(minimum_cell=10))
    assert message["absent"]["icdr"] == "too_few_patients"
    others = [
        scores_answer(whole.select(whole.site == s), Calibration(), Policy(minimum_cell=10))
        for s in SITES[:2]
    ]
    assert fit_points(Calibration(), [*others, message]) == fit_points(Calibration(), others)
    assert fit_points(Calibration(), [message]).points == {}


@pytest.mark.parametrize("minimum", [3, 10])
def test_no_count_of_a_message_rests_on_fewer_patients_than_the_minimum(minimum: int) -> None:
    for seed in range(10):
        told = ScoresAnswer.from_dict(
            scores_answer(predictions(90, seed), Calibration(), Policy(minimum_cell=minimum))
        )
        for by_input in filter(None, told.tasks.values()):
            for scores in by_input.values():
                for pair in filter(None, (scores.referable, scores.right)):
                    # Two photographs a patient: fewer than `minimum` patients would be fewer than that many.
                    assert min(count for table in pair for count in table.counts) >= minimum


def test_a_broken_message_is_refused() -> None:
    message = scores_answer(predictions(), Calibration(), OPEN)
    message["tasks"]["icdr"]["all"]["right"][0]["counts"][0] += 1
    with pytest.raises(DataError, match="scores cannot be understood"):
        fit_points(Calibration(), [message])
