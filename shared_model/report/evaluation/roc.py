"""Who is found when a score decides who is sent on: the ROC of referable retinopathy, with its band over patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from shared_model.metrics import bootstrap
from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import MISSING, Predictions
from shared_model.metrics.referable import NAMES, REFERABLE, SPECIFICITIES, referable_score, roc_points
from shared_model.metrics.summary import figure
from shared_model.report.evaluation.inputs import NAMES as INPUTS
from shared_model.report.palette import FEDERATED, SITES, Colour
from shared_model.report.plots import MUTED, panel, styled, svg
from shared_model.report.verdict import with_interval
from shared_model.report.views import Cell, cell

DRAWN: Mapping[str, Colour] = {
    "all": FEDERATED,
    "image": SITES[0],
    "note": SITES[1],
    "structured": SITES[2],
}
ROWS = ("all", "image", "note", "structured", "note_unmasked")
_GRID = np.linspace(0.0, 1.0, 101)


def rows(document: Mapping[str, Any], task: str) -> list[tuple[str, str, list[Cell]]]:
    """For each input its name, how many of its photographs are referable, and NAMES with intervals."""
    by_input = document["models"]["federated"][EVERY_SITE][task]["by_input"]
    found = []
    for given in ROWS:
        figures = by_input[given]["referable"]
        label, small = INPUTS[given]
        count = f"{figures['positives']:,} of {figures['n']:,} referable" if figures["n"] else ""
        about = "; ".join(part for part in (small, count, figures["unavailable"]) if part)
        found.append((label, about, [cell(figure(figures, name)) for name in NAMES]))
    return found


def drawing(
    document: Mapping[str, Any], predictions: Predictions, task: str, resamples: int, seed: int
) -> Markup | None:
    """The curves of DRAWN, with a band around the first; None where no input has one."""
    curves = {given: roc_points(predictions, task, given) for given in DRAWN}
    if not any(curves.values()):
        return None
    by_input = document["models"]["federated"][EVERY_SITE][task]["by_input"]
    with styled():
        plot, (axis,) = panel(4.6, 4.3)
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        limits = band(predictions, task, "all", resamples, seed)
        if limits is not None:
            axis.fill_between(_GRID, *limits, color=FEDERATED.light, alpha=0.16, linewidth=0)
        for given, curve in curves.items():
            if curve is not None:
                _line(axis, given, curve, by_input[given]["referable"])
        for specificity in SPECIFICITIES:
            axis.axvline(1 - specificity, color=MUTED, linewidth=0.6, linestyle="--")
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
        axis.set_xlabel("referred among those who need not be (1 − specificity)")
        axis.set_ylabel("found among those who need it (sensitivity)")
        axis.set_title(f"{task.upper()} {REFERABLE} and above")
        axis.legend(frameon=False, loc="lower right", title="AUROC", title_fontsize=8.5, alignment="left")
        return svg(plot, f"ROC of referable {task.upper()} from each input")


def band(
    predictions: Predictions, task: str, given: str, resamples: int, seed: int
) -> tuple[Floats, Floats] | None:
    """Where 95 % of the resampled curves run at 0 %, 1 % ... 100 % false positives, point by point.

    None with fewer than two patients, or where a tenth of the resamples have one class only.
    """
    truth, score = predictions.labels(task), referable_score(predictions.scores(task, given))
    known = (truth != MISSING) & np.isfinite(score)
    order = np.argsort(-score[known], kind="stable")
    positive, score = (truth[known] >= REFERABLE)[order], score[known][order]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.array([], int)

    def heights(weights: Floats) -> Floats:
        sides = [(weights * side).cumsum(axis=1)[:, ends] for side in (positive, ~positive)]
        return np.stack([_height(found, false) for found, false in zip(*sides, strict=True)])

    values, patients = bootstrap.weighted(predictions.patient[known][order], heights, resamples, seed)
    if patients < 2:
        return None
    columns = [bootstrap.interval_of(column, patients) for column in values.T]
    limits = np.array([column for column in columns if column is not None])
    return (limits[:, 0], limits[:, 1]) if len(limits) == len(_GRID) else None


def _height(found: Floats, false: Floats) -> Floats:
    if not found[-1] or not false[-1]:
        return np.full(len(_GRID), np.nan)
    height: Floats = np.interp(_GRID, np.append(0.0, false / false[-1]), np.append(0.0, found / found[-1]))
    return height


def _line(axis: Axes, given: str, curve: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    colour, area = DRAWN[given], figure(figures, "auroc")
    shown = with_interval(area.value, area.interval) if area.value is not None else ""
    axis.plot(
        curve["false_positive_rate"],
        curve["sensitivity"],
        color=colour.light,
        linestyle=colour.dash,
        linewidth=2.2 if given == "all" else 1.4,
        label=f"{INPUTS[given][0]}  {shown}",
    )
