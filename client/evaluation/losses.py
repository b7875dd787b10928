"""How well a grid of temperatures explains a site's validation labels: what a federated temperature is fitted from."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.evaluation.labelled import labelled
from client.statistics.policy import Policy
from shared_model.evaluation.temperature import DECIMALS, GRID, TemperatureAnswer
from shared_model.metrics.calibration import calibrated, log_loss
from shared_model.metrics.predictions import Predictions
from shared_model.records import TASKS


def temperature_answer(predictions: Predictions, policy: Policy, *, key: bytes = b"") -> dict[str, Any]:
    """The message of a site (shared_model.evaluation.TemperatureAnswer as a plain dictionary).

    predictions: of its validation patients, with all inputs. key: the site's secret that orders who is held back.
    """
    examples: dict[str, int | None] = dict.fromkeys(TASKS)
    losses: dict[str, tuple[float, ...] | None] = dict.fromkeys(TASKS)
    absent: dict[str, str] = {}
    for task in TASKS:
        found = labelled(predictions, task, ("all",), policy.minimum_cell, key)
        if isinstance(found, str):
            absent[task] = "no_labels" if found == "no_patients" else found
            continue
        scores = found.probabilities["all"]
        means = [float(log_loss(calibrated(scores, t), found.truth).mean()) for t in GRID]
        examples[task] = len(found.truth)
        losses[task] = tuple(float(value) for value in np.round(means, DECIMALS))
    return TemperatureAnswer(examples, losses, absent).to_dict()
