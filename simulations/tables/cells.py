"""One figure of one row over its seeds: the mean and an interval, or why there is none.

A model that failed has no figure; the mean is then of the others, and says of how many of how many. With one seed the
interval is the one over patients that the figure came with; with more it is Student's over seeds, which is wide for
three, as it should be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from shared_model.metrics.bootstrap import LEVEL
from shared_model.metrics.summary import NOT_AVAILABLE
from simulations.experiments import Result
from simulations.tables.contents import Part

Model = Mapping[str, Any] | None  # None: it failed


@dataclass(frozen=True)
class Cell:
    """value: the mean over seeds; interval: 95 %; seeds: what each seed gave. share: shown in percent; digits: of the
    text, None for two of a share below 10 % and one above. models: how many of how many the value is of, None where
    that means nothing; several: whether a seed has several models (each site's own).
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    seeds: tuple[float | None, ...] = ()
    share: bool = False
    digits: int | None = None
    models: tuple[int, int] | None = None
    several: bool = False

    def partly(self) -> str:
        """`2 of 3 seeds` where not every model has the figure; "" where every one has, or none."""
        if self.value is None or self.models is None or self.models[0] == self.models[1]:
            return ""
        known, asked = self.models
        if self.several:
            return f"{known} of {asked} models"
        return f"{known} of {asked} seeds" + (
            ", interval over patients" if known == 1 and self.interval else ""
        )

    def text(self) -> str:
        """As people read it, without the percent sign: `1.24 [0.83, 1.65]`."""
        if self.value is None:
            return NOT_AVAILABLE
        scale = 100.0 if self.share else 1.0
        usual = 1 if self.share and abs(self.value) >= 0.0995 else 2
        digits = usual if self.digits is None else self.digits
        shown = f"{scale * self.value:.{digits}f}"
        if self.interval is None:
            return shown
        low, high = (f"{scale * bound:.{digits}f}" for bound in self.interval)
        return f"{shown} [{low}, {high}]"

    def document(self) -> dict[str, Any]:
        """For tables.json: fractions, not percent."""
        interval = list(self.interval) if self.interval else None
        found: dict[str, Any] = {"name": self.name, "value": self.value, "interval": interval}
        models = list(self.models) if self.models else None
        return {**found, "seeds": list(self.seeds), "models": models}


def cell(part: Part, by_seed: Sequence[Sequence[Model]]) -> Cell:
    """by_seed: for each seed the models of the row (one, or each site's own), as `as_models` gives them."""
    values = [[_value(part, model) for model in models] for models in by_seed]
    seeds = tuple(_mean(of_seed) for of_seed in values)
    every = [value for of_seed in values for value in of_seed]
    known = [value for value in seeds if value is not None]
    models = sum(value is not None for value in every), len(every)
    several = any(len(of_seed) > 1 for of_seed in values)
    if not known:
        return Cell(part.name, None, None, seeds, part.share, models=models, several=several)
    only = next((m for of_seed in by_seed for m in of_seed if _value(part, m) is not None), None)
    single = len(known) == 1 and not several
    interval = _own_interval(part, only) if single and only else _bounded(part, over_seeds(known))
    return Cell(part.name, float(np.mean(known)), interval, seeds, part.share, models=models, several=several)


def as_models(results: Sequence[Result]) -> list[Model]:
    """What `cell` reads of results: {"figures": …, "majority": …}, None for a failure."""
    return [None if r.failed else {"figures": r.figures(), "majority": r.majority()} for r in results]


def over_seeds(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean; None for one value, and where all are alike: seeds that happen to agree
    do not make a figure certain.
    """
    if len(set(values)) < 2:
        return None
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    middle = float(np.mean(values))
    return middle - float(half), middle + float(half)


def look_up(document: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None where it does not lead anywhere."""
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _value(part: Part, model: Model) -> float | None:
    if model is None:
        return None
    found = look_up(model[part.of], part.path)
    if not part.over or found is None:
        return None if found is None else float(found)
    whole = look_up(model[part.of], part.over)
    return float(found) / float(whole) if whole else None


def _bounded(part: Part, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Student's interval knows nothing of the ends of a share or of a kappa."""
    low, high = (0.0 if part.share else -1.0), 1.0
    return (max(low, interval[0]), min(high, interval[1])) if interval else None


def _own_interval(part: Part, model: Mapping[str, Any]) -> tuple[float, float] | None:
    group, _, metric = part.path.rpartition(".")
    found = None if part.over else look_up(model[part.of], f"{group}.intervals.{metric}")
    return (float(found[0]), float(found[1])) if found else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
