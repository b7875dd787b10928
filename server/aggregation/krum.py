"""Krum (Blanchard et al. 2017): the updates that have the nearest neighbours.

A malicious update must lie near honest ones to be chosen, and then it does little. What a site could not train
counts as no change: where sites hold unequal kinds of data, Krum prefers the kind that most of them hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def chosen(products: NDArray[np.float64], malicious: int, count: int) -> list[int]:
    """The `count` updates with the smallest scores, best first, the earlier one of equals.

    products: (n, n) inner products of the updates; n >= 2 * malicious + 3, since a score is the sum of squared
    distances to the n - malicious - 2 nearest others. Raises ValueError for fewer.
    """
    sites = len(products)
    if sites < 2 * malicious + 3:
        raise ValueError(f"Krum against {malicious} needs {2 * malicious + 3} updates, there are {sites}")
    squares = np.diag(products)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0.0)
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(distances, axis=1)[:, : sites - malicious - 2]
    return [int(i) for i in np.argsort(nearest.sum(axis=1), kind="stable")[:count]]
