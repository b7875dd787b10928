"""Trust and subgroups: figures of each task and group, gaps with intervals, and what a lack of data is called."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from shared_model.metrics import confusion_matrix
from shared_model.metrics.calibration import calibrated
from shared_model.metrics.grading import METRICS
from shared_model.metrics.referral import area
from shared_model.metrics.subgroups import (
    GAP,
    MINIMUM_PATIENTS,
    SUBGROUPS,
    attributes_of,
    subgroup_figures,
)
from shared_model.metrics.trust import UNCERTAINTIES, trust, uncertainty
from shared_model.records import build
from tests.shared_model.test_metrics_document import keys, predictions, unlabelled

KAPPA = "quadratic_weighted_kappa"


def test_trust_is_told_before_and_after_the_temperature_for_each_task() -> None:
    found = trust(predictions(size=400), {"icdr": 0.5}, 100)
    icdr = found["icdr"]
    assert (icdr["temperature"], icdr["fitted"]) == (0.5, True)
    assert (found["sdrg"]["temperature"], found["sdrg"]["fitted"]) == (1.0, False)
    before, after = icdr["calibration"]["before"], icdr["calibration"]["after"]
    assert before["ece"] != after["ece"]
    assert found["sdrg"]["calibration"]["before"] == found["sdrg"]["calibration"]["after"]
    assert set(icdr["uncertainty"]) == set(UNCERTAINTIES)
    assert icdr["order_by"] == "confidence"
    curve = icdr["risk_coverage"]
    assert curve["aurc_at_best"] <= curve["aurc"]
    assert curve["risk"][-1] == pytest.approx(curve["aurc_at_random"])
    assert [entry["level"] for entry in icdr["referral"]] == [0.9, 0.95]


def test_an_uncertainty_that_knows_more_is_named_as_better_but_not_taken() -> None:
    """The photograph alone contradicts exactly the wrong answers."""
    whole = predictions(size=600)
    flat = 0.1 + 0.5 * np.eye(5, dtype=np.float32)[whole.predicted("icdr", "all")]
    image = 0.05 + 0.75 * np.eye(5, dtype=np.float32)[whole.truth["icdr"]]
    scores = {**whole.probabilities["icdr"], "all": flat, "image": image}
    found = trust(replace(whole, probabilities={**whole.probabilities, "icdr": scores}), {}, 200)["icdr"]
    assert "disagreement" in found["better"]
    assert found["order_by"] == "confidence"


def test_the_photograph_alone_is_read_at_its_own_temperature() -> None:
    """Nothing but the disagreement reads it; a temperature a sample counts for its own sample."""
    whole = predictions(size=300)
    sure = np.random.default_rng(5).uniform(0.3, 3, (2, 300))
    scores = {
        given: calibrated(whole.scores("icdr", given), one).astype(np.float32)
        for given, one in zip(("all", "image"), sure, strict=True)
    }
    whole = replace(whole, probabilities={**whole.probabilities, "icdr": scores})
    plain = trust(whole, {"icdr": 0.5}, 20)["icdr"]
    own = trust(whole, {"icdr": 0.5}, 20, image_temperatures={"icdr": 3.0})["icdr"]
    each = trust(whole, {"icdr": 0.5}, 20, image_temperatures={"icdr": np.full(300, 3.0)})["icdr"]
    known = whole.truth["icdr"] >= 0
    raw = {given: whole.scores("icdr", given)[known] for given in ("all", "image")}
    ways = uncertainty(calibrated(raw["all"], 0.5), calibrated(raw["image"], 3.0))
    wrong = raw["all"].argmax(axis=1) != whole.truth["icdr"][known]
    assert own["uncertainty"]["disagreement"]["aurc"] == pytest.approx(
        float(area(ways["disagreement"], wrong)[0])
    )
    assert own["uncertainty"]["disagreement"] != plain["uncertainty"]["disagreement"]
    assert own["uncertainty"]["disagreement"] == each["uncertainty"]["disagreement"]
    assert {k: v for k, v in own.items() if k not in ("uncertainty", "better")} == {
        k: v for k, v in plain.items() if k not in ("uncertainty", "better")
    }


def test_without_a_photograph_only_prediction_nothing_can_disagree() -> None:
    probabilities = np.full((3, 5), 0.2)
    found = uncertainty(probabilities)
    assert found["disagreement"] == pytest.approx(found["confidence"])
    assert found["scatter"] == pytest.approx(2.0)
    sure = uncertainty(np.eye(5))
    assert all(values == pytest.approx(0.0) for values in sure.values())


def test_one_temperature_a_sample_serves_a_model_a_fold() -> None:
    whole = predictions(size=200)
    each = np.repeat([0.5, 2.0], 100)
    found = trust(whole, {"icdr": each}, 20)["icdr"]
    assert found["temperature"] == pytest.approx(1.25)
    assert found["calibration"]["after"]["n"] == 200


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (unlabelled(predictions()), "no record has a label"),
        (predictions().select(np.arange(0)), "there are no records"),
        (
            replace(
                predictions(),
                probabilities={
                    t: {g: p * np.nan for g, p in by.items()} for t, by in predictions().probabilities.items()
                },
            ),
            "no score is a number",
        ),
    ],
)
def test_nothing_to_trust_is_null_with_its_reason(broken, why: str) -> None:
    found = trust(broken, {}, 20)["icdr"]
    assert (found["uncertainty"], found["risk_coverage"], found["referral"]) == (None, None, None)
    assert found["unavailable"] == found["calibration"]["before"]["unavailable"] == why
    json.dumps(trust(broken, {}, 20), allow_nan=False)
    groups = subgroup_figures(broken, "icdr", "all", 20)
    assert groups["sex"]["groups"] == []
    assert groups["sex"]["unavailable"] == "no photograph has both a label and a grade"
    json.dumps(groups, allow_nan=False)


def with_groups(size: int = 400, missing: int = 0):
    whole = predictions(size=size)
    sex = np.array([("female", "male")[(i // 2) % 2] for i in range(size)])
    sex[:missing] = ""
    eye = np.array([("right", "left")[i % 2] for i in range(size)])
    camera = np.array(["Canon" if i // 2 < 5 else "Nikon" for i in range(size)])
    return replace(whole, attributes={"sex": sex, "eye": eye, "camera": camera})


def test_groups_have_the_figures_of_their_photographs_and_the_gap_is_best_minus_worst() -> None:
    whole = with_groups(missing=8)
    found = subgroup_figures(whole, "icdr", "all", 200)
    assert set(found) == set(SUBGROUPS)
    for name in ("sex", "eye"):
        entry, values = found[name], []
        for group in entry["groups"]:
            here = whole.attributes[name] == group["group"]
            matrix = confusion_matrix(whole.truth["icdr"][here], whole.predicted("icdr", "all")[here])
            assert group["n"] == here.sum()
            assert group[KAPPA] == pytest.approx(float(METRICS[KAPPA](matrix)))
            assert group["intervals"][KAPPA][0] <= group[KAPPA] <= group["intervals"][KAPPA][1]
            values.append(group[KAPPA])
        gap = entry["gaps"][KAPPA]
        assert gap["gap"] == pytest.approx(max(values) - min(values))
        assert gap["interval"][0] <= gap["gap"] <= gap["interval"][1]
        assert entry["unavailable"] is None
    assert found["sex"]["missing"] == 8
    assert {group["group"] for group in found["centre"]["groups"]} == {"North", "South"}


def test_a_group_of_few_patients_is_listed_and_takes_no_part_in_the_gap() -> None:
    found = subgroup_figures(with_groups(), "icdr", "all", 50)["camera"]
    canon, nikon = found["groups"]
    assert (canon["patients"], canon["compared"], nikon["compared"]) == (5, False, True)
    assert found["gaps"][KAPPA] == dict.fromkeys(GAP)
    assert found["unavailable"] == f"fewer than two groups have {MINIMUM_PATIENTS} patients"


def test_what_is_not_recorded_is_said_to_be_so() -> None:
    found = subgroup_figures(with_groups(), "icdr", "all", 20)
    assert (found["age"]["groups"], found["age"]["unavailable"]) == ([], "it is not recorded")


def test_a_gap_within_groups_that_share_patients_is_resampled_with_them() -> None:
    """Both eyes of a patient are graded alike, so the gap between eyes hardly varies."""
    whole = with_groups()
    truth = whole.truth["icdr"].reshape(-1, 2)[:, :1].repeat(2, axis=1).ravel()
    scores = whole.probabilities["icdr"]["all"].reshape(-1, 2, 5)[:, :1].repeat(2, axis=1).reshape(-1, 5)
    alike = replace(
        whole,
        truth={**whole.truth, "icdr": truth},
        probabilities={**whole.probabilities, "icdr": {"all": scores}},
    )
    gap = subgroup_figures(alike, "icdr", "all", 100)["eye"]["gaps"]["accuracy"]
    assert (gap["gap"], gap["interval"]) == (0.0, [0.0, 0.0])


def test_attributes_come_from_the_canonical_record() -> None:
    table: pd.DataFrame = build(
        {
            "record_id": list("abcdef"),
            "patient_id": list("ppqqrs"),
            "image_path": list("uvwxyz"),
            "age": [44.9, 45, 60, 75, None, 0],
            "sex": [1, 0, None, 1, 0, 0],
            "eye": [0, 1, 0, None, 1, 1],
            "camera": ["Canon", None, "Nikon", "Nikon", "Canon", "Canon"],
        }
    )
    found = attributes_of(table)
    assert found["age"].tolist() == ["under 45", "45 to 59", "60 to 74", "75 and above", "", "under 45"]
    assert found["sex"].tolist() == ["male", "female", "", "male", "female", "female"]
    assert found["eye"].tolist() == ["right", "left", "right", "", "left", "left"]
    assert found["camera"].tolist() == ["Canon", "", "Nikon", "Nikon", "Canon", "Canon"]


def test_the_shape_of_trust_does_not_depend_on_the_data() -> None:
    full, empty = trust(predictions(size=300), {}, 20), trust(unlabelled(predictions()), {}, 20)
    assert set(full["icdr"]) == set(empty["icdr"])
    assert keys(full["icdr"]["calibration"]) == keys(empty["icdr"]["calibration"])
