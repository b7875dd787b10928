"""The photographs of a site that a figure is about: graded, labelled, and not so nearly all that the rest shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.statistics.merging import MISSING, draw_order, hold_back
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Labels, Predictions, present


@dataclass(frozen=True, eq=False)
class Labelled:
    """N photographs with a label. truth: (N,); patients: (N,) numbered from 0; probabilities: input -> (N, 5), for
    those that the model reads.
    """

    truth: Labels
    patients: NDArray[np.int64]
    probabilities: dict[str, Floats]

    @property
    def count(self) -> int:
        """Patients."""
        return len(np.unique(self.patients))


def labelled(
    predictions: Predictions, task: str, inputs: Sequence[str], minimum: int, key: bytes
) -> Labelled | str:
    """The labelled photographs of a task, or the reason why nothing is said of them.

    Where a few patients lack a label, a few more are held back (client.statistics.merging), in an order keyed with
    the site's secret, so that the number of those without one does not show.
    """
    if not len(predictions):
        return "no_patients"
    truth = predictions.labels(task)
    if (truth == MISSING).all():
        return "no_labels"
    if predictions.broken(task).any():
        return "broken_scores"
    # A model that reads no photographs says nothing from them.
    read = [given for given in inputs if present(predictions.scores(task, given)).any()]
    scores = {given: predictions.scores(task, given) for given in read}
    names, patients = np.unique(predictions.patient, return_inverse=True)
    patients = patients.astype(np.int64)
    order = draw_order([str(name) for name in names], key)
    kept = hold_back(truth, patients, order, minimum) != MISSING
    found = Labelled(truth[kept], patients[kept], {given: score[kept] for given, score in scores.items()})
    return "too_few_patients" if found.count < max(1, minimum) else found
