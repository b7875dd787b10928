"""The figures the synthetic data set is drawn from, read from rates.toml.

They stand in a table of their own so that a reader can check them against their sources
(docs/synthetic-data.md) without reading code, and so that nobody tunes them by accident.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mix = Literal["balanced", "published"]


@dataclass(frozen=True)
class Rates:
    """The tables of rates.toml for one mix of grades. An array of 5 runs over ICDR grades 0 to 4."""

    grades: Floats  # (5,)
    diabetes: Floats  # (5,)
    centers: tuple[str, ...]
    center_given_grade: Floats  # (5, centres), rows sum to 1
    findings: dict[str, Floats]  # name -> (5,)
    between_eyes: dict[str, float]
    anatomy: dict[str, Floats]  # structure -> (5,)
    anatomy_explained: float
    sdrg: Floats  # (5, 5), rows sum to 1
    insulin: Floats  # (5,)
    duration_median: Floats  # (5,), years
    duration_spread: float
    recorded: dict[str, float]
    quality: dict[str, float]
    photographs: Floats  # (4,)
    other_eye_same_grade: float
    male: float
    age_quantiles: Floats  # (n, 2): probability, years
    dirt_block: int  # patients

    @property
    def diabetic_share(self) -> float:
        """Share of patients recorded as diabetic, to first order (both eyes alike)."""
        return float(self.grades @ self.diabetes)


def table() -> dict[str, Any]:
    """rates.toml as it is written."""
    return tomllib.loads(files(__package__).joinpath("rates.toml").read_text(encoding="utf-8"))


def _array(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


@cache
def load_rates(mix: Mix) -> Rates:
    """The rates with the grades of `mix`: `published` as in BRSET, `balanced` over-sampled."""
    raw = table()
    anatomy = dict(raw["anatomy"])
    explained = float(anatomy.pop("explained"))
    grades = _array(raw["grades"][mix])
    return Rates(
        grades=grades / grades.sum(),
        diabetes=_array(raw["diabetes"][mix]),
        centers=tuple(raw["centers"]),
        center_given_grade=np.stack([_array(row) for row in raw["centers"].values()], axis=1),
        findings={name: _array(row) for name, row in raw["findings"].items()},
        between_eyes={name: float(value) for name, value in raw["between_eyes"].items()},
        anatomy={name: _array(row) for name, row in anatomy.items()},
        anatomy_explained=explained,
        sdrg=np.stack([_array(raw["sdrg"][str(grade)]) for grade in range(5)]),
        insulin=_array(raw["form"]["insulin"]),
        duration_median=_array(raw["form"]["duration_median"]),
        duration_spread=float(raw["form"]["duration_spread"]),
        recorded=dict(raw["recorded"]),
        quality=dict(raw["quality"]),
        photographs=_array(raw["patients"]["photographs"]),
        other_eye_same_grade=float(raw["patients"]["other_eye_same_grade"]),
        male=float(raw["patients"]["male"]),
        age_quantiles=_array(raw["patients"]["age_quantiles"]),
        dirt_block=int(raw["dirt"]["block"]),
    )
