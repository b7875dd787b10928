"""What each modality is worth: the rows of the source paper's Table III, for each site and over all.

Records without a note differ from those with one, so a figure with the note and one without are compared on the
same photographs only: those that have every input of the larger set. A site that holds none of a modality has no
figure for it, which is told apart from one that could not be computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared_model.metrics import bootstrap
from shared_model.metrics.document import EVERY_SITE, KAPPA
from shared_model.metrics.predictions import MISSING, Predictions
from shared_model.records import TASKS

ROWS = ("image", "image_note", "image_structured", "all")
_ADDED: Mapping[str, list[str]] = {"image": [], "image_note": ["note"], "image_structured": ["structured"]}


def modality_worth(
    predictions: Predictions, sites: Sequence[str], resamples: int = 1000, seed: int = 0
) -> list[dict[str, Any]]:
    """`modalities` of the document: one entry for each task, each of ROWS, and each site and all of them.

    on, task, input: what the entry is about. held: whether any sample has what the input adds to the photograph.
    n, patients: of the samples that count, which have every modality of the input; for "all" every one that the
    site holds at all.
    quadratic_weighted_kappa, interval: on these. image_only, difference, difference_interval: the photograph alone
    on the very same samples and resamples of patients, and what is gained over it. None where the data cannot
    support a figure, as everything but the counts (0) is where `held` is False.
    """
    groups = [(EVERY_SITE, predictions), *((s, predictions.select(predictions.site == s)) for s in sites)]
    return [
        {"on": on, "task": task, "input": given, **_worth(group, task, given, resamples, seed)}
        for task in TASKS
        for on, group in groups
        for given in ROWS
    ]


def _worth(group: Predictions, task: str, given: str, resamples: int, seed: int) -> dict[str, Any]:
    has = {name: group.predicted(task, name) >= 0 for name in ("image", "note", "structured")}
    beside = [name for name in ("note", "structured") if has[name].any()]
    added = beside if given == "all" else _ADDED[given]
    held = given == "image" or bool(added and set(added) <= set(beside))
    complete = np.all([has[name] for name in ("image", *added)], axis=0) & held
    truth = np.where(complete, group.truth.get(task, MISSING), MISSING)
    with_input, image = group.predicted(task, given), group.predicted(task, "image")
    found = bootstrap.paired_difference(
        truth, with_input, [image], group.patient, KAPPA, resamples=resamples, seed=seed
    )
    alone = given == "image"
    return {
        "held": held,
        "n": found["n"],
        "patients": found["patients"],
        KAPPA: found["value_a"],
        "interval": bootstrap.intervals(truth, with_input, group.patient, resamples, seed)[KAPPA],
        "image_only": found["value_b"],
        "difference": None if alone else found["difference"],
        "difference_interval": None if alone else found["interval"],
    }
