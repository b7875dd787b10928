"""One table for all sites: exact where nothing was merged, and bounds where something was.

A figure that merging leaves open is the middle of its bounds where they are close together (WIDEST apart at most),
and no number otherwise: filling cells in by guesswork can move a kappa by a third.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from server.evaluation.bounds import accuracy_bounds, kappa_bounds
from shared_model.errors import DataError
from shared_model.evaluation import INPUTS, Confusion, Histogram, SiteFigures, TaskFigures
from shared_model.evaluation.site_figures import REASONS
from shared_model.metrics.grading import figures
from shared_model.metrics.referable import NAMES, SPECIFICITIES
from shared_model.records import GRADES, TASKS

WIDEST = 0.1
MERGED = "cells of few patients are merged: figures that this leaves open have bounds or nothing"

Bounds = tuple[float, float]


def pool_figures(messages: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """`pooled` of the document, from (site, SiteFigures.to_dict); the same whatever the order.

    sites: site -> task -> None or why it says nothing. minimum: site -> patients behind a count. TASK: input ->
    figures (docs/metrics.md). Raises DataError for a malformed message, naming its site.
    """
    sites = {name: _understood(name, message) for name, message in sorted(messages, key=lambda m: m[0])}
    return {
        "sites": {name: {task: _reason(site, task) for task in TASKS} for name, site in sites.items()},
        "minimum": {name: site.minimum for name, site in sites.items()},
        **{task: {given: _pooled(list(sites.values()), task, given) for given in INPUTS} for task in TASKS},
    }


def _pooled(sites: Sequence[SiteFigures], task: str, given: str) -> dict[str, Any]:
    told = [one for site in sites if (by := site.tasks[task]) and (one := by[given]) is not None]
    tables = [one.confusion for one in told]
    exact = not any(table.merged for table in tables)
    found = figures(_sum(tables)) if exact else _open(tables)
    bounds = {"accuracy": accuracy_bounds(tables), "quadratic_weighted_kappa": kappa_bounds(tables)}
    return {
        **found,
        "exact": exact,
        "bounds": {name: None if b is None else list(b) for name, b in bounds.items()},
        "referable": _referable(told),
        "sites": len(told),
        "unavailable": "no site tells" if not told else None if exact else MERGED,
    }


def _sum(tables: Sequence[Confusion]) -> np.ndarray[Any, np.dtype[np.int64]]:
    matrix = np.zeros((GRADES, GRADES), dtype=np.int64)
    for table in tables:
        for rows, columns, n in table.blocks():
            matrix[rows, columns] += n
    return matrix


def _open(tables: Sequence[Confusion]) -> dict[str, Any]:
    """The keys of `figures` where cells are merged."""
    nothing = dict.fromkeys(figures(_sum([])))
    return {
        **nothing,
        "n": sum(table.total for table in tables),
        "accuracy": _middle(accuracy_bounds(tables)),
        "quadratic_weighted_kappa": _middle(kappa_bounds(tables)),
    }


def _referable(told: Sequence[TaskFigures]) -> dict[str, Any]:
    """Middles and bounds of what the exact scores would give, over the sites that tell referable from other ones."""
    positive = [side for one in told if (side := one.positive) is not None]
    histogram = Histogram.of(positive, [side for one in told if (side := one.negative) is not None])
    at = [histogram.sensitivity_at(specificity) for specificity in SPECIFICITIES]
    found = [histogram.auroc(), histogram.average_precision(), *(place and place[0] for place in at)]
    bounds = dict(zip(NAMES, found, strict=True))
    n = histogram.positives + histogram.negatives
    return {
        "n": n,
        "positives": histogram.positives,
        "prevalence": histogram.positives / n if n else None,
        **{name: _middle(b) for name, b in bounds.items()},
        "bounds": {name: None if b is None else list(b) for name, b in bounds.items()},
        "threshold": {name: place and place[1] for name, place in zip(NAMES[2:], at, strict=True)},
        "sites": len(positive),
        "unavailable": _why(told, histogram, bounds.values()),
    }


def _middle(bounds: Bounds | None) -> float | None:
    if bounds is None or bounds[1] - bounds[0] > WIDEST:
        return None
    return (bounds[0] + bounds[1]) / 2


def _why(told: Sequence[TaskFigures], histogram: Histogram, bounds: Iterable[Bounds | None]) -> str | None:
    if not told:
        return "no site tells"
    if histogram.positives and histogram.negatives:
        return None if all(_middle(b) is not None for b in bounds) else "bins leave too much open"
    if not histogram.positives and not histogram.negatives:
        return "no site has enough patients of either side to tell referable from other photographs"
    return "every photograph is referable" if histogram.positives else "no photograph is referable"


def _understood(site: str, message: Mapping[str, Any]) -> SiteFigures:
    try:
        return SiteFigures.from_dict(message)
    except DataError as error:
        raise DataError(error.what, where=f"{error.where}, site {site}", fix=error.fix) from None


def _reason(site: SiteFigures, task: str) -> str | None:
    why = site.absent.get(task)
    return None if why is None else REASONS[why]
