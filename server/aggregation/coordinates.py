"""Robust means taken number by number (Yin et al. 2018), over the sites' values of each number.

Sorted first, so that the result does not depend on the order of the sites in any bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def trimmed_mean(values: NDArray[np.float32], trimmed: int) -> NDArray[np.float64]:
    """Mean over sites without the `trimmed` largest and smallest. values: (sites, numbers), sites > 2 * trimmed."""
    ordered = np.sort(values, axis=0)[trimmed : len(values) - trimmed]
    return np.asarray(ordered.mean(axis=0, dtype=np.float64))


def median(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median over sites, the mean of the two middle ones where their number is even. values: (sites, numbers)."""
    return trimmed_mean(values, (len(values) - 1) // 2)
