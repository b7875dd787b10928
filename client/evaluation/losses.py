"""How well a grid of temperatures explains a site's validation labels: what a federated temperature is fitted from."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.evaluation.labelled import labelled
from client.statistics.policy import Policy
from shared_model.evaluation import INPUTS
from shared_model.evaluation.temperature import DECIMALS, GRID, TemperatureAnswer
from shared_model.metrics.calibration import calibrated, log_loss
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Labels, Predictions
from shared_model.records import TASKS


def temperature_answer(predictions: Predictions, policy: Policy, *, key: bytes = b"") -> dict[str, Any]:
    """The message of a site (shared_model.evaluation.TemperatureAnswer as a plain dictionary).

    predictions: of its validation patients. key: the site's secret that orders who is held back.
    """
    examples: dict[str, int | None] = dict.fromkeys(TASKS)
    losses: dict[str, dict[str, tuple[float, ...] | None]] = {given: dict.fromkeys(TASKS) for given in INPUTS}
    absent: dict[str, str] = {}
    for task in TASKS:
        found = labelled(predictions, task, INPUTS, policy.minimum_cell, key)
        if isinstance(found, str):
            absent[task] = "no_labels" if found == "no_patients" else found
            continue
        examples[task] = len(found.truth)
        for given, scores in found.probabilities.items():
            losses[given][task] = _means(scores, found.truth)
    return TemperatureAnswer(examples, losses["all"], losses["image"], absent).to_dict()


def _means(scores: Floats, truth: Labels) -> tuple[float, ...]:
    means = [float(log_loss(calibrated(scores, t), truth).mean()) for t in GRID]
    return tuple(float(value) for value in np.round(means, DECIMALS))
