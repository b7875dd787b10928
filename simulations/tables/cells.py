"""One figure of one row over its seeds: the mean and an interval, or why there is none.

With one seed the interval is the one over patients that the figure came with; with more it is Student's over seeds,
which is wide for three, as it should be.
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


@dataclass(frozen=True)
class Cell:
    """value: the mean over seeds; interval: 95 %; seeds: what each seed gave. share: shown in percent; digits: of the
    text, None for two of a share below 10 % and one above.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    seeds: tuple[float | None, ...] = ()
    share: bool = False
    digits: int | None = None

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
        return {"name": self.name, "value": self.value, "interval": interval, "seeds": list(self.seeds)}


def cell(part: Part, by_seed: Sequence[Sequence[Mapping[str, Any]]]) -> Cell:
    """by_seed: for each seed the models of the row (one, or each site's own), as {"figures": …, "majority": …}."""
    seeds = [_mean([_value(part, model) for model in models]) for models in by_seed]
    known = [value for value in seeds if value is not None]
    if not known:
        return Cell(part.name, None, seeds=tuple(seeds), share=part.share)
    only = by_seed[0][0] if len(by_seed) == 1 and len(by_seed[0]) == 1 else None
    interval = _own_interval(part, only) if only is not None else _bounded(part, over_seeds(known))
    return Cell(part.name, float(np.mean(known)), interval, tuple(seeds), part.share)


def as_models(results: Sequence[Result]) -> list[Mapping[str, Any]]:
    """What `cell` reads of results that were not failures."""
    return [{"figures": r.figures(), "majority": r.majority()} for r in results if not r.failed]


def over_seeds(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean; None for one value."""
    if len(values) < 2:
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


def _value(part: Part, model: Mapping[str, Any]) -> float | None:
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
