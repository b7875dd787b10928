"""What a site's figures tell: everything where nothing is protected, nothing of a few patients elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from client.evaluation import site_figures, temperature_answer
from client.evaluation.labelled import labelled
from client.statistics.policy import OPEN, Policy
from server.evaluation import fit_temperature, pool_figures
from server.evaluation.pool import WIDEST
from shared_model.errors import DataError
from shared_model.evaluation import INPUTS, SiteFigures, TemperatureAnswer
from shared_model.metrics.calibration import calibrated, calibration_figures, log_loss
from shared_model.metrics.grading import METRICS
from shared_model.metrics.grading import confusion_matrix as matrix_of
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.referable import NAMES, referable_figures

SITES = ("North", "South", "West")


def predictions(size: int = 240, seed: int = 0, unlabelled: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    truth = generator.choice(5, size, p=[0.55, 0.08, 0.2, 0.1, 0.07]).astype(np.int64)
    logits = 1.5 * generator.normal(size=(2, size, 5)) + 2.5 * np.eye(5)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    sdrg = truth.copy()
    truth[:unlabelled] = -1
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // 2}" for i in range(size)]),
        site=np.array([SITES[(i // 2) % 3] for i in range(size)]),
        truth={"icdr": truth, "sdrg": sdrg},
        probabilities={t: dict(zip(INPUTS, scores, strict=True)) for t in ("icdr", "sdrg")},
        note=np.full(size, -1, dtype=np.int64),
        embeddings={},
    )


def messages(whole: Predictions, policy: Policy) -> list[tuple[str, dict]]:
    return [(site, site_figures(whole.select(whole.site == site), policy)) for site in SITES]


def test_with_nothing_to_protect_pooled_figures_are_those_of_all_photographs_together() -> None:
    whole = predictions()
    found = pool_figures(messages(whole, OPEN))
    for task in ("icdr", "sdrg"):
        for given in INPUTS:
            one, matrix = found[task][given], matrix_of(whole.truth[task], whole.predicted(task, given))
            assert one["exact"]
            assert one["confusion"] == matrix.tolist()
            for name, metric in METRICS.items():
                assert one[name] == pytest.approx(float(metric(matrix)))
            for name in ("accuracy", "quadratic_weighted_kappa"):
                assert one["bounds"][name] == pytest.approx([one[name]] * 2)
            exact = referable_figures(whole, task, given, 5)
            for name in NAMES:
                low, high = one["referable"]["bounds"][name]
                assert low - 1e-12 <= exact[name] <= high + 1e-12
            assert one["referable"]["bounds"]["auroc"][1] - one["referable"]["bounds"]["auroc"][0] < 0.03


@pytest.mark.parametrize("minimum", [2, 5, 10])
def test_merged_figures_hold_the_exact_ones_within_their_bounds(minimum: int) -> None:
    for seed in range(8):
        whole = predictions(seed=seed)
        found = pool_figures(messages(whole, Policy(minimum_cell=minimum)))["icdr"]["all"]
        matrix = matrix_of(whole.truth["icdr"], whole.predicted("icdr", "all"))
        assert not found["exact"]
        assert found["n"] == matrix.sum()
        for name in ("accuracy", "quadratic_weighted_kappa"):
            low, high = found["bounds"][name]
            assert low <= float(METRICS[name](matrix)) <= high
            assert (found[name] is None) == (high - low > WIDEST)
        assert found["confusion"] is found["macro_f1"] is None
        assert "merged" in found["unavailable"]
        if found["referable"]["sites"] == len(SITES):
            exact = referable_figures(whole, "icdr", "all", 5)
            for name in NAMES:
                low, high = found["referable"]["bounds"][name]
                assert low - 1e-12 <= exact[name] <= high + 1e-12


def test_large_sites_lose_little_by_merging() -> None:
    whole = predictions(6000)
    found = pool_figures(messages(whole, Policy(minimum_cell=10)))["icdr"]["all"]
    matrix = matrix_of(whole.truth["icdr"], whole.predicted("icdr", "all"))
    assert found["accuracy"] == pytest.approx(float(METRICS["accuracy"](matrix)), abs=0.01)
    for name in NAMES:
        assert found["referable"][name] == pytest.approx(
            referable_figures(whole, "icdr", "all", 5)[name], abs=0.05
        )


@pytest.mark.parametrize("minimum", [3, 10])
def test_no_count_rests_on_fewer_patients_than_the_minimum(minimum: int) -> None:
    for seed in range(10):
        whole = predictions(90, seed)
        told = SiteFigures.from_dict(site_figures(whole, Policy(minimum_cell=minimum)))
        for by_input in told.tasks.values():
            for figures in by_input.values():
                for table in (*figures.confusion.rows, figures.positive, figures.negative):
                    # Two photographs a patient: fewer than `minimum` patients would be fewer than that many.
                    assert table is None or min(table.counts) >= minimum


def test_no_two_tables_of_a_site_subtract_to_a_few_photographs() -> None:
    """The tree: sums of neighbouring groups of any table, as far as tables share a cut, are the same in all."""
    minimum = 6
    for seed in range(20):
        whole = predictions(70, seed)
        told = SiteFigures.from_dict(site_figures(whole, Policy(minimum_cell=minimum))).tasks["icdr"]
        matrices = [told[given].confusion for given in INPUTS]
        assert matrices[0].starts == matrices[1].starts
        assert [row.total for row in matrices[0].rows] == [row.total for row in matrices[1].rows]
        starts = matrices[0].starts
        for figures in told.values():
            if figures.positive is None:
                assert starts == (0,)
                continue
            assert 2 in starts  # no group of grades crosses the line between referable and not
            rows = zip(starts, figures.confusion.rows, strict=True)
            assert figures.positive.total == sum(row.total for first, row in rows if first >= 2)


def test_few_patients_without_a_label_do_not_show_as_a_difference() -> None:
    whole = predictions(120, unlabelled=4)  # two patients
    found = labelled(whole, "icdr", INPUTS, 10, b"key")
    assert found.count == 60 - 10
    assert labelled(whole, "icdr", INPUTS, 10, b"key").patients.tolist() == found.patients.tolist()
    assert labelled(whole, "icdr", INPUTS, 0, b"key").count == 58


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p.select(np.arange(0)), "the site has no test patients"),
        (lambda p: p.select(np.arange(12)), "it would rest on fewer patients than the site's minimum"),
        (lambda p: (p.truth["icdr"].fill(-1), p)[1], "no test photograph has a label"),
        (
            lambda p: (p.probabilities["icdr"]["image"].__setitem__(0, np.nan), p)[1],
            "a probability is not a number",
        ),
    ],
)
def test_a_site_that_cannot_tell_says_why_and_the_others_still_pool(change, reason: str) -> None:
    policy = Policy(minimum_cell=10)
    whole, other = predictions(), predictions(seed=5)
    found = pool_figures([("a", site_figures(change(whole), policy)), ("b", site_figures(other, policy))])
    assert found["sites"]["a"]["icdr"] == reason
    assert found["sites"]["b"]["icdr"] is None
    assert (found["icdr"]["all"]["sites"], found["icdr"]["all"]["n"]) == (1, 240)
    json.dumps(found, allow_nan=False)


def test_nobody_telling_anything_gives_no_figure() -> None:
    policy = Policy(minimum_cell=10)
    found = pool_figures([("a", site_figures(predictions(8), policy))])["icdr"]["all"]
    assert (found["n"], found["accuracy"], found["unavailable"]) == (0, None, "no site tells")
    assert found["referable"]["auroc"] is None
    nobody = pool_figures([])
    assert nobody["icdr"]["all"]["quadratic_weighted_kappa"] is None


def test_one_side_only_is_named() -> None:
    whole = predictions()
    whole.truth["icdr"][:] = 0
    open_site = pool_figures([("a", site_figures(whole, OPEN))])["icdr"]["all"]["referable"]
    assert (open_site["auroc"], open_site["unavailable"]) == (None, "no photograph is referable")
    merged = pool_figures([("a", site_figures(whole, Policy(minimum_cell=10)))])["icdr"]["all"]
    assert "tell referable from other" in merged["referable"]["unavailable"]


def test_a_model_that_reads_no_photographs_says_nothing_from_them() -> None:
    whole = predictions()
    for task in ("icdr", "sdrg"):
        whole.probabilities[task]["image"] = np.full((240, 5), np.nan)
    message = json.loads(json.dumps(site_figures(whole, OPEN)))
    found = pool_figures([("a", message)])
    assert found["icdr"]["image"]["unavailable"] == "no site tells"
    assert found["icdr"]["all"]["n"] == 240


def test_the_message_survives_and_a_broken_one_is_refused_by_site() -> None:
    message = site_figures(predictions(), Policy(minimum_cell=10))
    again = json.loads(json.dumps(message))
    assert SiteFigures.from_dict(again).to_dict() == message
    again["tasks"]["icdr"]["all"]["confusion"]["rows"][0]["counts"][0] += 1
    with pytest.raises(DataError, match=r"cannot be understood[\s\S]*site South"):
        pool_figures([("North", message), ("South", again)])
    for damage in ({"schema": "other"}, {"minimum": -1}, {"tasks": {}}, {"absent": {"icdr": "no_labels"}}):
        with pytest.raises(DataError, match="cannot be understood"):
            SiteFigures.from_dict({**message, **damage})


def test_a_federated_temperature_is_the_one_of_all_validation_photographs_together() -> None:
    whole = predictions(600)
    sharp = {t: {g: calibrated(p, 0.4) for g, p in by.items()} for t, by in whole.probabilities.items()}
    over = Predictions(**{**vars(whole), "probabilities": sharp})
    sites = [temperature_answer(over.select(over.site == site), Policy(minimum_cell=10)) for site in SITES]
    found = fit_temperature(sites)
    assert found == fit_temperature(sites[::-1])
    assert found.examples == {"icdr": 600, "sdrg": 600}
    fine = np.exp(np.linspace(-1.5, 2, 400))
    scores, truth = over.scores("icdr", "all"), over.truth["icdr"]
    best = fine[np.argmin([log_loss(calibrated(scores, t), truth).mean() for t in fine])]
    assert found.of("icdr") == pytest.approx(best, rel=0.06)
    assert found.of("icdr") > 1
    before, after = (calibration_figures(over, "icdr", t, resamples=5) for t in (1.0, found.of("icdr")))
    assert after["log_loss"] < before["log_loss"]
    assert after["ece"] < before["ece"]


def test_a_temperature_answer_is_bounded_and_withheld_for_a_few() -> None:
    few = temperature_answer(predictions(12), Policy(minimum_cell=10))
    assert few["absent"] == {"icdr": "too_few_patients", "sdrg": "too_few_patients"}
    assert fit_temperature([few]).of("icdr") == 1.0
    assert fit_temperature([few]).temperature == {}
    wrong = predictions(60)
    wrong.probabilities["icdr"]["all"] = np.eye(5)[(wrong.truth["icdr"] + 1) % 5]
    answer = temperature_answer(wrong, OPEN)
    assert max(answer["losses"]["icdr"]) <= 20.0
    assert TemperatureAnswer.from_dict(json.loads(json.dumps(answer))).to_dict() == answer
    answer["losses"]["icdr"][0] = 21.0
    with pytest.raises(DataError, match="cannot be understood"):
        fit_temperature([answer])
