"""One site a camera: the same disease seen by another machine (feature skew)."""

from __future__ import annotations

from simulations.partitions.column import by_column
from simulations.partitions.dealt import Dealt
from simulations.partitions.units import Unit


def deal(units: list[Unit], sites: int | None, seed: int, alpha: float) -> Dealt:
    """Sites by camera; seed and alpha play no part."""
    return by_column(units, "camera", sites)
