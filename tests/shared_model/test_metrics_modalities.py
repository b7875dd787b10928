"""What each modality is worth: the same photographs on both sides of a gain, and nothing made up for a site without."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_metrics_document import SITES, predictions

from shared_model.metrics import Predictions, modality_worth
from shared_model.metrics.modalities import ROWS

PARTS = {"image_note": ["note"], "image_structured": ["structured"], "all": ["note", "structured"]}


def without(whole: Predictions, *names: str, at: str = "") -> Predictions:
    """The predictions where these inputs, and whatever holds them, are missing at a site (everywhere: "")."""
    here = (whole.site == at) | (at == "")
    probabilities = {
        task: {
            given: np.where(
                (here & bool(set(given.split("_")) & set(names)))[:, None], np.float32(np.nan), rows
            )
            for given, rows in inputs.items()
        }
        for task, inputs in whole.probabilities.items()
    }
    return replace(whole, probabilities=probabilities)


def entries(model: Predictions, resamples: int = 60) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = modality_worth(model, SITES, resamples)
    return {(entry["task"], entry["on"], entry["input"]): entry for entry in found}


def test_a_gain_is_measured_on_photographs_that_have_the_whole_larger_set() -> None:
    whole = predictions()
    found = entries(whole)
    assert len(found) == 2 * 3 * len(ROWS)
    for (task, on, given), entry in found.items():
        here = (whole.truth[task] >= 0) & ((whole.site == on) | (on == "all"))
        for name in PARTS.get(given, []):
            here &= np.isfinite(whole.probabilities[task][name][:, 0])
        assert entry["held"]
        assert entry["n"] == here.sum()
        assert entry["patients"] == len(set(whole.patient[here]))
        alone = entries(whole.select(here))[task, "all", "image"]
        assert entry["image_only"] == alone["quadratic_weighted_kappa"]
        if given == "image":
            assert entry["difference"] is entry["difference_interval"] is None
            assert entry["image_only"] == entry["quadratic_weighted_kappa"]
        else:
            gain = entry["quadratic_weighted_kappa"] - entry["image_only"]
            assert entry["difference"] == pytest.approx(gain)
            low, high = entry["difference_interval"]
            assert low <= entry["difference"] <= high


def test_a_site_without_notes_has_no_figure_for_them_and_all_is_what_it_holds() -> None:
    found = entries(without(predictions(), "note", at="North"))
    absent = found["icdr", "North", "image_note"]
    assert absent["held"] is False
    assert absent["n"] == absent["patients"] == 0
    assert {
        absent[name] for name in absent if name not in ("on", "task", "input", "held", "n", "patients")
    } == {None}
    form, whole = found["icdr", "North", "image_structured"], found["icdr", "North", "all"]
    assert whole["held"]
    assert whole["n"] == form["n"] > 0
    assert found["icdr", "South", "image_note"]["held"]
    assert found["icdr", "all", "image_note"]["n"] == found["icdr", "South", "image_note"]["n"]


def test_a_site_with_photographs_only_has_the_photographs_figure_and_no_other() -> None:
    found = entries(without(predictions(), "note", "structured", at="South"))
    assert [found["icdr", "South", given]["held"] for given in ROWS] == [True, False, False, False]
    assert found["icdr", "South", "image"]["quadratic_weighted_kappa"] is not None
    assert found["icdr", "South", "all"]["n"] == 0


def test_entries_are_strict_json_whatever_is_missing() -> None:
    whole = predictions()
    nothing = {task: np.full(len(whole), -1, dtype=np.int64) for task in whole.truth}
    fewer = {task: {"image": inputs["image"]} for task, inputs in whole.probabilities.items()}
    for model in (
        replace(whole, truth=nothing),
        replace(whole, probabilities=fewer),
        whole.select(np.arange(0)),
    ):
        json.dumps(modality_worth(model, SITES, 20), allow_nan=False)
