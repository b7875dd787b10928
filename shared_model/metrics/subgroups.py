"""Whether a model serves everybody alike: figures by sex, age, camera, eye and centre, and the gaps between them.

A gap is the best subgroup minus the worst, and is never negative: of subgroups that do not differ at all, one is
always the best. So it comes with the gap that chance alone makes (shared_model.metrics.chance). The interval of the
difference between these two says how well it is known, not whether it is real: they were picked for being furthest
apart. Both are resampled together, since one patient may be in both (two eyes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared_model.metrics import bootstrap
from shared_model.metrics.chance import against_chance, gaps_by_chance
from shared_model.metrics.grading import METRICS, Floats, confusion_matrix, number
from shared_model.metrics.predictions import MISSING, Labels, Predictions

ATTRIBUTES = ("sex", "age", "camera", "eye")
CENTRE = "centre"
SUBGROUPS = (*ATTRIBUTES, CENTRE)
MINIMUM_PATIENTS = 20  # below this a subgroup is listed, but takes no part in a gap
UNEXCHANGEABLE = "groups share patients, and too few could have been in either"
UNDEFINED = "in too many groups dealt anew the figure does not exist"
GAP = ("gap", "best", "worst", "interval", "p", "chance", "more_than_chance", "untested")
FIGURES = ("quadratic_weighted_kappa", "accuracy", "balanced_accuracy")
AGE_BANDS = ((0, "under 45"), (45, "45 to 59"), (60, "60 to 74"), (75, "75 and above"))
_FLAGS = {"sex": ("female", "male"), "eye": ("right", "left")}

Texts = NDArray[np.str_]


def attributes_of(table: pd.DataFrame) -> dict[str, Texts]:
    """ATTRIBUTES of canonical records, each (N,) as text, "" where missing; ages in AGE_BANDS."""
    found = {name: _flag(table[name], words) for name, words in _FLAGS.items()}
    camera = table["camera"].fillna("").to_numpy(dtype=str)
    return {"sex": found["sex"], "age": _band(table["age"]), "camera": camera, "eye": found["eye"]}


def subgroup_figures(
    predictions: Predictions, task: str, given: str = "all", resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """`subgroups.TASK` of the document: for each of SUBGROUPS the figures of its groups, and the gaps.

    groups: one entry a group in order of name: group, n, patients, compared (has MINIMUM_PATIENTS), FIGURES and
    their intervals. gaps: figure -> GAP: gap, best, worst, interval (of best minus worst, on the same resamples of
    patients), p, chance (what 95 % of the gaps between groups dealt anew stay within), more_than_chance, and why it
    was not tested, else None; all None with fewer than two compared groups. missing: photographs whose group is not
    known.
    unavailable: why there is no gap, else None.
    """
    values = {**predictions.attributes, CENTRE: predictions.site}
    empty = np.full(len(predictions), "", dtype=str)
    return {
        name: _attribute(predictions, task, given, values.get(name, empty), (resamples, seed))
        for name in SUBGROUPS
    }


def _attribute(
    predictions: Predictions, task: str, given: str, values: Texts, resampling: tuple[int, int]
) -> dict[str, Any]:
    truth, predicted = predictions.labels(task), predictions.predicted(task, given)
    graded = (truth != MISSING) & (predicted != MISSING)
    known = graded & (values != "")
    names = [str(name) for name in np.unique(values[known])]
    groups = [
        _group(name, truth, predicted, predictions.patient, known & (values == name), resampling)
        for name in names
    ]
    compared = [group for group in groups if group["compared"]]
    columns = truth[known], predicted[known], predictions.patient[known], values[known]
    gaps = _gaps(compared, columns, resampling)
    return {
        "groups": groups,
        "gaps": gaps,
        "missing": int(graded.sum() - known.sum()),
        "minimum_patients": MINIMUM_PATIENTS,
        "unavailable": _why(groups, compared, int(graded.sum())),
    }


def _group(
    name: str,
    truth: Labels,
    predicted: Labels,
    patient: Texts,
    here: NDArray[np.bool_],
    resampling: tuple[int, int],
) -> dict[str, Any]:
    confusion = confusion_matrix(truth[here], predicted[here])
    patients = len(np.unique(patient[here]))
    found = bootstrap.intervals(truth[here], predicted[here], patient[here], *resampling)
    return {
        "group": name,
        "n": int(here.sum()),
        "patients": patients,
        "compared": patients >= MINIMUM_PATIENTS,
        **{metric: number(METRICS[metric](confusion)) for metric in FIGURES},
        "intervals": {metric: found[metric] for metric in FIGURES},
    }


def _gaps(
    compared: list[dict[str, Any]], columns: tuple[Labels, Labels, Texts, Texts], resampling: tuple[int, int]
) -> dict[str, dict[str, Any]]:
    """columns: truth, predicted, patient and group of the samples that are known."""
    if len(compared) < 2:
        return {metric: dict.fromkeys(GAP) for metric in FIGURES}
    here = np.isin(columns[3], [group["group"] for group in compared])
    truth, predicted, patient, values = columns
    by_chance = gaps_by_chance(
        truth[here], predicted[here], patient[here], values[here], FIGURES, seed=resampling[1]
    )
    return {
        metric: _gap(metric, compared, columns, resampling, by_chance[metric] if by_chance else None)
        for metric in FIGURES
    }


def _gap(
    metric: str,
    compared: list[dict[str, Any]],
    columns: tuple[Labels, Labels, Texts, Texts],
    resampling: tuple[int, int],
    by_chance: Floats | None,
) -> dict[str, Any]:
    ranked = sorted((g for g in compared if g[metric] is not None), key=lambda g: float(g[metric]))
    if len(ranked) < 2:
        return dict.fromkeys(GAP)
    worst, best = ranked[0], ranked[-1]
    gap = best[metric] - worst[metric]
    truth, predicted, patient, values = columns
    sides = np.array([values == best["group"], values == worst["group"]])
    interval = bootstrap.difference_between(truth, predicted, patient, sides, metric, *resampling)
    tested = dict.fromkeys(GAP[4:]) if by_chance is None else against_chance(gap, by_chance)
    untested = UNEXCHANGEABLE if by_chance is None else UNDEFINED if tested["p"] is None else None
    return {
        "gap": gap,
        "best": best["group"],
        "worst": worst["group"],
        "interval": interval,
        **tested,
        "untested": untested,
    }


def _why(
    groups: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]], graded: int
) -> str | None:
    if not graded:
        return "no photograph has both a label and a grade"
    if not groups:
        return "it is not recorded"
    if len(groups) == 1:
        return "there is one group only"
    if len(compared) < 2:
        return f"fewer than two groups have {MINIMUM_PATIENTS} patients"
    return None


def _flag(column: pd.Series[float], words: tuple[str, str]) -> Texts:
    return np.array(["" if pd.isna(value) else words[int(value)] for value in column], dtype=str)


def _band(ages: pd.Series[float]) -> Texts:
    starts = [start for start, _ in AGE_BANDS]
    return np.array(
        ["" if pd.isna(a) else AGE_BANDS[np.searchsorted(starts, a, side="right") - 1][1] for a in ages],
        dtype=str,
    )
