"""Histograms of a site's calibrated validation scores, small cells merged: what operating points are fixed from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.evaluation.labelled import Labelled, labelled
from client.statistics.merging import MISSING, merge
from client.statistics.policy import Policy
from shared_model.calibration import Calibration
from shared_model.evaluation import BINS, INPUTS, Scores, ScoresAnswer, bin_of
from shared_model.evaluation.scores import Pair
from shared_model.metrics.calibration import calibrated
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.referable import REFERABLE, referable_score
from shared_model.records import TASKS


def scores_answer(
    predictions: Predictions, calibration: Calibration, policy: Policy, *, key: bytes = b""
) -> dict[str, Any]:
    """The message of a site (shared_model.evaluation.ScoresAnswer as a plain dictionary).

    predictions: of its validation patients. calibration: the federation's temperatures. key: the site's secret that
    orders who is held back, the same as for the temperatures: both answers are then of the same photographs.
    """
    tasks: dict[str, dict[str, Scores | None] | None] = dict.fromkeys(TASKS)
    absent: dict[str, str] = {}
    for task in TASKS:
        found = labelled(predictions, task, INPUTS, policy.minimum_cell, key)
        if isinstance(found, str):
            absent[task] = "no_labels" if found == "no_patients" else found
            continue
        tasks[task] = {
            given: _scores(found, calibrated(scores, calibration.of(task, given)), policy.minimum_cell)
            if (scores := found.probabilities.get(given)) is not None
            else None
            for given in INPUTS
        }
    return ScoresAnswer(tasks, absent).to_dict()


def _scores(found: Labelled, probabilities: Floats, minimum: int) -> Scores:
    right = probabilities.argmax(axis=1) == found.truth
    return Scores(
        referable=_pair(found, referable_score(probabilities), found.truth >= REFERABLE, minimum),
        right=_pair(found, probabilities.max(axis=1), right, minimum),
    )


def _pair(found: Labelled, score: Floats, side: NDArray[np.bool_], minimum: int) -> Pair | None:
    """Both histograms, or neither: the number of photographs less one of them would be the other."""
    bins = bin_of(score)
    first, second = (
        merge(np.where(here, bins, MISSING), found.patients, BINS, minimum) for here in (side, ~side)
    )
    return None if first is None or second is None else (first, second)
