"""Patients dealt out evenly at random: the federation without its difficulty, as a control."""

from __future__ import annotations

import numpy as np

from simulations.partitions.dealt import Dealt, numbered
from simulations.partitions.units import Unit

DEFAULT_SITES = 3


def deal(units: list[Unit], sites: int | None, seed: int, alpha: float) -> Dealt:
    """Sites of equal size up to one unit; alpha plays no part. Training patients are dealt first, evenly."""
    names = numbered(sites or DEFAULT_SITES)
    order = np.random.default_rng(seed).permutation(len(units))
    dealt = sorted((units[i] for i in order), key=lambda unit: not unit.trains)
    return Dealt({name: dealt[i :: len(names)] for i, name in enumerate(names)})
