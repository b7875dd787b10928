"""One table for all sites: exact where nothing was merged, and with what is open stated where something was.

A confusion matrix of which some cells were merged is filled in by what the others suggest, as round 0 does
(shared_model.statistics.counts); its accuracy has bounds, its other figures are marked as estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from shared_model.errors import DataError
from shared_model.evaluation import INPUTS, Confusion, Histogram, SiteFigures, TaskFigures
from shared_model.evaluation.site_figures import REASONS
from shared_model.metrics.grading import METRICS, Floats, figures, number
from shared_model.metrics.referable import NAMES, SPECIFICITIES
from shared_model.records import GRADES, TASKS

_STEPS = 50


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
    told = [by[given] for site in sites if (by := site.tasks[task]) is not None]
    matrix = _matrix([one.confusion for one in told])
    exact = not any(one.confusion.merged for one in told)
    found = figures(np.rint(matrix).astype(np.int64))
    if not exact:
        found |= {name: number(metric(matrix)) for name, metric in METRICS.items()}
        found["recall_per_grade"] = [
            float(matrix[g, g] / row) if (row := matrix[g].sum()) > 1e-6 else None for g in range(GRADES)
        ]
    return {
        **found,
        "n": sum(one.confusion.total for one in told),
        "exact": exact,
        "accuracy_bounds": _accuracy_bounds([one.confusion for one in told]),
        "referable": _referable(told),
        "sites": len(told),
        "unavailable": None if told else "no site tells",
    }


def _matrix(tables: Sequence[Confusion]) -> Floats:
    """(5, 5) photographs, the cells of a merged group in proportion to what all tables suggest."""
    blocks = sorted((b for t in tables for b in t.blocks()), key=lambda b: (b[0].start, b[1].start, b[2]))
    weights = np.ones((GRADES, GRADES))
    for _ in range(_STEPS):
        total = np.zeros((GRADES, GRADES))
        for rows, columns, n in blocks:
            here = weights[rows, columns]
            total[rows, columns] += n * here / here.sum()
        weights = total + 1e-9 * max(1.0, float(total.max()))
    return total


def _accuracy_bounds(tables: Sequence[Confusion]) -> list[float] | None:
    n = sum(table.total for table in tables)
    if not n:
        return None
    low = high = 0
    for table in tables:
        for rows, columns, count in table.blocks():
            true, predicted = range(GRADES)[rows], range(GRADES)[columns]
            high += count * bool(set(true) & set(predicted))
            low += count * (len(true) == len(predicted) == 1 and true == predicted)
    return [low / n, high / n]


def _referable(told: Sequence[TaskFigures]) -> dict[str, Any]:
    """Middles and bounds of what the exact scores would give, over the sites that tell referable from other ones."""
    sides = [
        (one.positive, one.negative) for one in told if one.positive is not None and one.negative is not None
    ]
    histogram = Histogram.of([p for p, _ in sides], [n for _, n in sides])
    at = [histogram.sensitivity_at(specificity) for specificity in SPECIFICITIES]
    bounds = [histogram.auroc(), histogram.average_precision(), *(found and found[0] for found in at)]
    n = histogram.positives + histogram.negatives
    return {
        "n": n,
        "positives": histogram.positives,
        "prevalence": histogram.positives / n if n else None,
        **{name: None if b is None else (b[0] + b[1]) / 2 for name, b in zip(NAMES, bounds, strict=True)},
        "bounds": {name: None if b is None else list(b) for name, b in zip(NAMES, bounds, strict=True)},
        "threshold": {name: found and found[1] for name, found in zip(NAMES[2:], at, strict=True)},
        "sites": len(sides),
        "unavailable": _why(told, histogram),
    }


def _why(told: Sequence[TaskFigures], histogram: Histogram) -> str | None:
    if not told:
        return "no site tells"
    if histogram.positives and histogram.negatives:
        return None
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
