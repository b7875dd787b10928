"""A made-up evaluation to test its page on: figures by the real metrics code over invented predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from shared_model.metrics import (
    SCHEMA,
    Predictions,
    majority_predictions,
    modality_worth,
    model_figures,
    subgroup_figures,
    trust,
)
from shared_model.records import TASKS
from shared_model.report.evaluation import Cases, Found, Mistake, Photograph, Place, Search, render
from tests.shared_model.test_report_sample import SITES, photograph, predictions

RESAMPLES = 40
GUARD = {
    "ran": True,
    "records": 64,
    "passed": True,
    "changed": {"text": 0, "image": 0},
    "paired_changed": True,
    "unavailable": None,
}
Document = dict[str, Any]


def evaluated(
    change: Callable[[Predictions], Predictions] = lambda p: p, **verdict: Any
) -> tuple[Document, Predictions]:
    """The document and the predictions of an evaluation; `change` spoils them."""
    whole = predictions(0.74, seed=1, size=160)
    sex = np.where(np.arange(160) // 2 % 2 == 0, "female", "male")
    found = change(replace(whole, attributes={"sex": sex, "camera": np.full(160, "Canon CR")}))
    counts = {task: [500, 100, 160, 100, 110] for task in TASKS}
    models = {"federated": found, "majority": majority_predictions(found, counts)}
    sites = sorted(set(found.site) & set(SITES))
    document = {
        "schema": SCHEMA,
        "models": {name: model_figures(model, sites, RESAMPLES) for name, model in models.items()},
        "comparisons": [],
        "modalities": modality_worth(found, sites, RESAMPLES),
        "trust": trust(found, {"icdr": 1.4}, RESAMPLES),
        "subgroups": {task: subgroup_figures(found, task, "all", RESAMPLES) for task in TASKS},
        "guard": GUARD,
        "verdict": {"ok": True, "errors": [], "warnings": [], **verdict},
        "run": {
            "split": "test",
            "quarantined": 3,
            "notices": ["Encoders start from random weights."],
            "resamples": RESAMPLES,
            "package_version": "0.1.0",
        },
    }
    return document, found


def shot(line: int) -> Photograph:
    return Photograph(photograph((150, 60, 28)), f"Line {line}", {"icdr": 2})


def cases() -> Cases:
    found = [Found(shot(4), ""), Found(shot(5), "same"), Found(shot(6), "own")]
    mistake = Mistake(shot(9), 4, 0, [0.9, 0.05, 0.03, 0.01, 0.01], "Note: “<b>A scar.</b>”")
    search = Search("There is a <i>nevus</i>.", "Line 6", found, Place(3.0), Place(2.0), 7, 180)
    return Cases([search], {"icdr": [mistake]})


def page(
    change: Callable[[Predictions], Predictions] = lambda p: p, shown: Cases | None = None, **verdict: Any
) -> str:
    return render(*evaluated(change, **verdict), cases() if shown is None else shown)
