"""A site's figures of a model on its test patients, with small cells merged down the tree that the message states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.evaluation.labelled import Labelled, labelled
from client.statistics.merging import MISSING, merge
from client.statistics.policy import Policy
from shared_model.evaluation import BINS, INPUTS, Confusion, SiteFigures, TaskFigures, bin_of
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.referable import REFERABLE, referable_score
from shared_model.records import GRADES, TASKS
from shared_model.statistics import Counts

_SIDES = ((0, REFERABLE), (REFERABLE, GRADES))


def site_figures(predictions: Predictions, policy: Policy, *, key: bytes = b"") -> dict[str, Any]:
    """The message of a site (shared_model.evaluation.SiteFigures as a plain dictionary).

    predictions: of its test patients. The policy's minimum_cell decides what is merged; below 2 nothing is, and
    the figures are exact. key: the site's secret that orders who is held back.
    """
    tasks: dict[str, dict[str, TaskFigures | None] | None] = dict.fromkeys(TASKS)
    absent: dict[str, str] = {}
    for task in TASKS:
        found = labelled(predictions, task, INPUTS, policy.minimum_cell, key)
        if isinstance(found, str):
            absent[task] = found
        else:
            tasks[task] = {
                given: _figures(found, given, policy.minimum_cell) if given in found.probabilities else None
                for given in INPUTS
            }
    return SiteFigures(policy.minimum_cell, tasks, absent).to_dict()


def _figures(found: Labelled, given: str, minimum: int) -> TaskFigures:
    probabilities = found.probabilities[given]
    starts, told = _groups_of_grades(found, minimum)
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    group = np.searchsorted(starts, found.truth, side="right") - 1
    rows = [_table(found, predicted, group == g, GRADES, minimum) for g in range(len(starts))]
    if not told:
        return TaskFigures(Confusion(starts, tuple(rows)), None, None)
    scores, referable = bin_of(referable_score(probabilities)), found.truth >= REFERABLE
    sides = [_table(found, scores, side, BINS, minimum) for side in (referable, ~referable)]
    return TaskFigures(Confusion(starts, tuple(rows)), sides[0], sides[1])


def _groups_of_grades(found: Labelled, minimum: int) -> tuple[tuple[int, ...], bool]:
    """First grade of every group of true grades, and whether referable photographs are told from the others."""
    starts: list[int] = []
    for first, end in _SIDES:
        here = (found.truth >= first) & (found.truth < end)
        codes = np.where(here, found.truth - first, MISSING)
        side = merge(codes, found.patients, end - first, minimum)
        if side is None:
            return (0,), False
        starts += [first + start for start in side.starts]
    return tuple(starts), True


def _table(
    found: Labelled, codes: NDArray[np.int64], here: NDArray[np.bool_], cells: int, minimum: int
) -> Counts:
    """The table of photographs that are enough together, and so have one group at least."""
    table = merge(np.where(here, codes, MISSING), found.patients, cells, minimum)
    if table is None:
        raise AssertionError("a group of photographs below the minimum")
    return table
