"""The metrics document: its shape whatever the data, its baseline, its comparisons, its table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared_model.errors import DataError
from shared_model.metrics import (
    INPUTS,
    Predictions,
    aligned,
    comparisons,
    concatenate,
    confusion_matrix,
    majority_predictions,
    model_figures,
    summary_table,
)

SITES = ("North", "South")


def predictions(skill: float = 0.8, size: int = 120, seed: int = 0) -> Predictions:
    """Two sites, two photographs a patient; the note helps little and the form is often missing."""
    cohort, model = np.random.default_rng(99), np.random.default_rng(seed)
    truth = {task: cohort.integers(0, 5, size) for task in ("icdr", "sdrg")}
    truth["sdrg"][cohort.random(size) < 0.3] = -1
    missing = {"structured": cohort.random(size) < 0.2, "note": cohort.random(size) < 0.1}
    skills = dict.fromkeys(INPUTS, skill) | {"note": skill / 2, "structured": 0.1}

    def probability(task: str, given: str) -> Any:
        right = model.random(size) < skills[given]
        grade = np.where(right, truth[task], model.integers(0, 5, size))
        rows = 0.05 + 0.75 * np.eye(5, dtype=np.float32)[grade]
        lacking = [missing[name] for name in ("note", "structured") if name in given.split("_")]
        rows[np.any([np.zeros(size, dtype=bool), *lacking], axis=0)] = np.nan
        return rows.astype(np.float32)

    note = np.where(missing["note"], -1, cohort.integers(0, 9, size))
    text = cohort.normal(size=(10, 16)).astype(np.float32)[note]
    image = (text + 2 * model.normal(size=text.shape)).astype(np.float32)
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // 2}" for i in range(size)]),
        site=np.array([SITES[(i // 2) % 2] for i in range(size)]),
        truth=truth,
        probabilities={task: {given: probability(task, given) for given in INPUTS} for task in truth},
        note=note,
        embeddings={"unimodal": {"image": image, "text": text}, "paired": {"image": image, "text": image}},
    )


def document(**models: Predictions) -> dict[str, Any]:
    return {"models": {name: model_figures(model, SITES, 100) for name, model in models.items()}}


def keys(value: Any) -> Any:
    """The shape of a document: its keys, all the way down."""
    return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def unlabelled(whole: Predictions) -> Predictions:
    nothing = np.full(len(whole), -1, dtype=np.int64)
    return replace(whole, truth=dict.fromkeys(whole.truth, nothing), note=nothing, embeddings={})


def test_figures_over_all_sites_are_the_sum_of_the_sites() -> None:
    found = model_figures(predictions(), SITES, 100)
    for task in ("icdr", "sdrg"):
        for given in INPUTS:
            sites = [np.array(found[site][task]["by_input"][given]["confusion"]) for site in SITES]
            assert (sum(sites) == np.array(found["all"][task]["by_input"][given]["confusion"])).all()


def test_the_figures_of_a_task_are_those_with_all_inputs() -> None:
    icdr = model_figures(predictions(), SITES, 100)["all"]["icdr"]
    assert {key: value for key, value in icdr.items() if key != "by_input"} == icdr["by_input"]["all"]
    assert icdr["by_input"]["structured"]["n"] < icdr["by_input"]["image"]["n"] == 120


def test_the_shape_of_the_document_does_not_depend_on_the_data() -> None:
    full, empty = (
        model_figures(predictions(), SITES, 100),
        model_figures(unlabelled(predictions()), SITES, 100),
    )
    bounds = dict.fromkeys(("accuracy", "quadratic_weighted_kappa", "macro_f1", "balanced_accuracy"))
    assert keys(full) == keys(empty)
    assert keys(full["all"]["icdr"]["intervals"]) == bounds
    assert empty["all"]["sdrg"]["n"] == 0
    assert empty["all"]["sdrg"]["quadratic_weighted_kappa"] is None
    assert empty["North"]["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None


def test_the_document_is_strict_json_without_nan() -> None:
    for model in (predictions(), unlabelled(predictions()), predictions(size=2), predictions(size=1)):
        json.dumps(model_figures(model, SITES, 50), allow_nan=False)
        json.dumps(comparisons({"federated": model, "pooled": model}, SITES, 50), allow_nan=False)


def test_a_diverged_model_has_no_figures_rather_than_wrong_ones() -> None:
    whole = predictions()
    broken = {t: {g: p * np.nan for g, p in inputs.items()} for t, inputs in whole.probabilities.items()}
    lost = {p: {s: e * np.nan for s, e in pair.items()} for p, pair in whole.embeddings.items()}
    found = model_figures(replace(whole, probabilities=broken, embeddings=lost), SITES, 50)["all"]
    assert (found["icdr"]["n"], found["icdr"]["accuracy"]) == (0, None)
    assert found["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None


def test_every_reason_for_a_missing_figure_is_given() -> None:
    whole = predictions()
    one_grade = replace(whole, truth={"icdr": np.full(120, 2), "sdrg": whole.truth["sdrg"]})
    found = model_figures(one_grade, [], 20)["all"]["icdr"]
    assert found["unavailable"] == "only one grade occurs"
    assert (found["quadratic_weighted_kappa"], found["balanced_accuracy"]) == (None, None)
    assert found["intervals"]["quadratic_weighted_kappa"] is None
    assert found["accuracy"] == pytest.approx(float(np.mean(whole.predicted("icdr", "all") == 2)))
    assert found["referable"]["unavailable"] == "every photograph is referable"
    alone = model_figures(replace(whole, patient=np.full(120, "p")), [], 20)["all"]["icdr"]
    assert alone["unavailable"] == "a single patient: no intervals"
    assert alone["quadratic_weighted_kappa"] is not None
    assert set(alone["intervals"].values()) == {None}
    bare = model_figures(unlabelled(whole), [], 20)["all"]
    assert bare["icdr"]["unavailable"] == "no record has a label"
    assert bare["retrieval"]["unimodal"]["text_to_image"]["unavailable"] == "there are no vectors"
    no_notes = replace(whole, note=np.full(120, -1))
    found = model_figures(no_notes, [], 20)["all"]["retrieval"]["unimodal"]["image_to_text"]
    assert found["unavailable"] == "fewer than two records have a note"
    nobody = model_figures(whole.select(np.arange(0)), [], 20)["all"]["icdr"]
    assert (nobody["n"], nobody["accuracy"], nobody["unavailable"]) == (0, None, "there are no records")


def test_a_score_that_is_no_number_is_left_out_and_the_protocols_say_what_they_are() -> None:
    whole = predictions()
    whole.probabilities["icdr"]["all"][:5] = np.nan
    found = model_figures(whole, [], 20)["all"]
    assert found["icdr"]["n"] == 115
    assert found["retrieval"]["paired"]["label"] == "conditioned on the pair: not a retrieval system"
    assert "headline" in found["retrieval"]["unimodal"]["label"]


def test_a_site_called_all_is_refused() -> None:
    with pytest.raises(DataError, match='called "all"'):
        model_figures(predictions(), ["all"])


def test_the_majority_baseline_knows_only_the_training_labels() -> None:
    whole = predictions()
    floor = majority_predictions(whole, {"icdr": [1, 2, 9, 9, 0], "sdrg": [0, 0, 0, 0, 0]})
    assert set(floor.predicted("icdr", "all")) == {2}
    assert (floor.predicted("icdr", "structured") >= 0).sum() == model_figures(whole, [], 9)["all"]["icdr"][
        "by_input"
    ]["structured"]["n"]
    found = model_figures(floor, SITES, 50)["all"]
    assert found["icdr"]["quadratic_weighted_kappa"] == 0.0
    assert found["icdr"]["accuracy"] == pytest.approx(np.mean(whole.truth["icdr"] == 2))
    assert found["sdrg"]["n"] == 0
    assert found["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None


def test_comparisons_set_the_federated_model_against_local_pooled_and_single_inputs() -> None:
    models = {
        "federated": predictions(0.9, seed=1),
        "pooled": predictions(0.92, seed=2),
        "local:North": predictions(0.4, seed=3),
        "local:South": predictions(0.3, seed=4),
    }
    found = comparisons(models, SITES, 300)
    icdr = {
        (entry["b"], entry["on"], entry["input"], entry["input_b"]): entry
        for entry in found
        if entry["task"] == "icdr"
    }
    assert set(icdr) == {
        ("mean(local)", "all", "all", "all"),
        ("mean(local)", "all", "image", "image"),
        ("pooled", "all", "all", "all"),
        ("pooled", "all", "image", "image"),
        ("federated", "all", "image", "note"),
        ("federated", "all", "image", "structured"),
        ("local:North", "North", "all", "all"),
        ("local:South", "South", "all", "all"),
    }
    assert {entry["task"] for entry in found} == {"icdr", "sdrg"}
    gain = icdr["mean(local)", "all", "all", "all"]
    local = [
        model_figures(models[f"local:{site}"], [], 9)["all"]["icdr"]["quadratic_weighted_kappa"]
        for site in SITES
    ]
    assert gain["value_b"] == pytest.approx(np.mean(local))
    assert gain["interval"][0] > 0
    assert icdr["federated", "all", "image", "note"]["n"] == (models["federated"].note >= 0).sum()


def test_comparisons_do_not_depend_on_the_order_in_which_a_model_was_evaluated() -> None:
    federated, pooled = predictions(0.9, seed=1), predictions(0.5, seed=2)
    shuffled = pooled.select(np.random.default_rng(0).permutation(len(pooled)))
    expected = comparisons({"federated": federated, "pooled": pooled}, SITES, 50)
    assert comparisons({"federated": federated, "pooled": shuffled}, SITES, 50) == expected


def test_models_evaluated_on_other_records_cannot_be_compared() -> None:
    whole = predictions()
    with pytest.raises(ValueError, match="same records"):
        aligned(whole.select(np.arange(50)), whole)
    twice = concatenate([whole, whole])
    with pytest.raises(ValueError, match="each once"):
        aligned(twice, twice)


def test_selected_parts_concatenate_to_the_whole() -> None:
    whole = predictions()
    parts = concatenate([whole.select(whole.site == site) for site in SITES])
    back = aligned(parts, whole)
    assert (back.record == whole.record).all()
    assert (back.truth["sdrg"] == whole.truth["sdrg"]).all()
    assert np.array_equal(
        back.probabilities["icdr"]["note"], whole.probabilities["icdr"]["note"], equal_nan=True
    )
    assert (back.embeddings["paired"]["text"] == whole.embeddings["paired"]["text"]).all()


def test_a_field_that_does_not_fit_is_named() -> None:
    whole = predictions()
    for change, words in (
        ({"patient": whole.patient[:3]}, "patient has the shape"),
        ({"note": whole.note - 5}, "note must hold integer ids"),
        ({"truth": {"icdr": whole.truth["icdr"]}}, "probabilities are for"),
        ({"truth": {**whole.truth, "sdrg": whole.truth["sdrg"] + 3}}, r"truth\[sdrg\] must hold"),
        (
            {"probabilities": {**whole.probabilities, "icdr": {"smell": np.zeros((120, 5))}}},
            "the input 'smell'",
        ),
        (
            {"probabilities": {**whole.probabilities, "icdr": {"all": np.zeros((120, 4))}}},
            "expected \\(120, 5\\)",
        ),
        ({"embeddings": {"unimodal": {"image": np.zeros((120, 4))}}}, r"embeddings\[unimodal\] holds"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(whole, **change)
    with pytest.raises(ValueError, match="nothing to concatenate"):
        concatenate([])


def test_predicted_grades_are_those_of_the_confusion_matrix() -> None:
    whole = predictions()
    note_only = whole.predicted("icdr", "note")
    assert ((note_only == -1) == (whole.note == -1)).all()
    found = model_figures(whole, [], 9)["all"]["icdr"]["by_input"]["note"]["confusion"]
    assert confusion_matrix(whole.truth["icdr"], note_only).tolist() == found


def test_the_table_starts_with_the_federated_model_and_ends_with_the_floor() -> None:
    whole = predictions()
    floor = majority_predictions(whole, {"icdr": [5, 4, 3, 2, 1], "sdrg": [5, 4, 3, 2, 1]})
    found = document(majority=floor, pooled=whole, federated=whole)
    found["best_validation"] = {"models": {"federated": found["models"]["federated"]}}
    rows = summary_table(found)
    assert [row.label for row in rows] == ["Federated", "Pooled", "Majority grade"]
    cells = rows[0].cells()
    assert cells[1].startswith(
        f"{found['models']['federated']['all']['icdr']['quadratic_weighted_kappa']:.2f} ["
    )
    assert "not available" in rows[2].cells()
    assert len(summary_table(found, "best_validation", "South")) == 1
