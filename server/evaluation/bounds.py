"""What a confusion matrix with merged cells certainly says: no distribution within its groups lies outside.

With t the true and p the predicted grade, quadratic weighted kappa is 2X / (O + 2X), where O is the sum of (t - p)^2
and X = sum (t - a)(p - b) - (sum (t - a))(sum (p - b)) / n is n times their covariance, for any constants a and b.
It grows with X, and falls with O where X is positive. Each sum is bounded group by group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from shared_model.evaluation import Confusion
from shared_model.records import GRADES

Bounds = tuple[float, float]


def accuracy_bounds(tables: Sequence[Confusion]) -> Bounds | None:
    """(lowest, highest) accuracy of these tables together; None without a photograph."""
    n = sum(table.total for table in tables)
    if not n:
        return None
    low, high = _range(tables, lambda t, p: float(t == p))
    return low / n, high / n


def kappa_bounds(tables: Sequence[Confusion]) -> Bounds | None:
    """Bounds of the quadratic weighted kappa, not always reached; None where it may be undefined."""
    n = sum(table.total for table in tables)
    if not n:
        return None
    a, b = (sum(_range(tables, side)) / 2 / n for side in (lambda t, p: float(t), lambda t, p: float(p)))
    distance = _range(tables, lambda t, p: float((t - p) ** 2))
    together = _range(tables, lambda t, p: (t - a) * (p - b))
    apart = _product(_range(tables, lambda t, p: t - a), _range(tables, lambda t, p: p - b))
    lowest, highest = together[0] - apart[1] / n, together[1] - apart[0] / n
    if distance[1] + 2 * highest <= 0:
        return None
    return _kappa(distance, lowest, least=True), _kappa(distance, highest, least=False)


def _kappa(distance: Bounds, covariance: float, *, least: bool) -> float:
    away = distance[1] if (covariance > 0) == least else distance[0]
    expected = away + 2 * covariance
    if expected <= 0:  # the two bounds are not had together: kappa's own range is all that is known
        return -1.0 if least else 1.0
    return float(np.clip(2 * covariance / expected, -1.0, 1.0))


def _range(tables: Sequence[Confusion], value: Callable[[int, int], float]) -> Bounds:
    """Lowest and highest sum of a value of (true, predicted) over all photographs."""
    low = high = 0.0
    for table in tables:
        for rows, columns, n in table.blocks():
            values = [value(t, p) for t in range(GRADES)[rows] for p in range(GRADES)[columns]]
            low, high = low + n * min(values), high + n * max(values)
    return low, high


def _product(x: Bounds, y: Bounds) -> Bounds:
    corners = [first * second for first in x for second in y]
    return min(corners), max(corners)
