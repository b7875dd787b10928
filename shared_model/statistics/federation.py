"""What the federation knows of its training patients after round 0: stored, printed, and the source of the scales.

Exact where no site merged, withheld or noised anything; what is an estimate is marked as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared_model.records import STRUCTURED, TASKS
from shared_model.statistics.answer import REASONS, YEARS
from shared_model.statistics.reading import plain
from shared_model.statistics.standardisation import Standardisation


@dataclass(frozen=True)
class Value:
    """A structured value.

    n: photographs that have it. variance: of the population. median: in whole years where exact. mode: of a flag
    0.5 where no site told how many have it. All 0 where n is 0. exact: every site told its whole table, with
    nothing merged or noised.
    """

    n: int
    mean: float
    variance: float
    median: float
    mode: float
    exact: bool


@dataclass(frozen=True)
class Classes:
    """Photographs of each class: grades 0 to 4, or without and with a finding.

    exact: as for Value. divided: whether any site told classes apart; if not, counts are an even division.
    """

    counts: tuple[int, ...]
    exact: bool
    divided: bool

    @property
    def mode(self) -> int:
        """The commonest class, the lowest of several."""
        return self.counts.index(max(self.counts))


@dataclass(frozen=True)
class FederationStatistics:
    """All sites' answers as one.

    sites: their names, in order. records, patients: of the sites that told. notes: whether any patient has one.
    pixels: behind image_mean and image_std. absent: site -> what it did not tell -> why (REASONS). minimum,
    epsilon: site -> patients behind a count, budget of its noise. schema: fingerprint of the canonical record.
    """

    sites: tuple[str, ...]
    records: int
    patients: int
    notes: bool
    values: Mapping[str, Value]
    classes: Mapping[str, Classes]
    findings: Mapping[str, Classes]
    pixels: int
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    absent: Mapping[str, Mapping[str, str]]
    minimum: Mapping[str, int]
    epsilon: Mapping[str, float]
    schema: str

    def standardisation(self) -> Standardisation:
        """The scales that go into the model: gaps filled by the median of years and the mode of flags."""
        values = [self.values[name] for name in STRUCTURED]
        return Standardisation(
            mean=tuple(value.mean for value in values),
            std=tuple(deviation(value.mean, value.variance) if value.n else 1.0 for value in values),
            impute=tuple(
                value.median if name in YEARS else value.mode
                for name, value in zip(STRUCTURED, values, strict=True)
            ),
            available=tuple(value.n > 0 for value in values),
            image_mean=self.image_mean,
            image_std=self.image_std,
            class_counts={task: self.classes[task].counts for task in TASKS},
            notes=self.notes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable: statistics.json of a run."""
        message: dict[str, Any] = plain(asdict(self))
        return message

    def render(self) -> str:
        """A table for a person. "~" marks an estimate: some site merged, withheld or noised cells of it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        silent = sum("patients" in reasons for reasons in self.absent.values())
        some = f" (not told by {silent} of {len(self.sites)} sites)" if silent else ""
        yield f"sites {len(self.sites)}, training photographs {self.records}, patients {self.patients}{some}"
        yield f"{'':24}{'n':>9}{'mean':>9}{'SD':>9}{'median':>9}{'mode':>9}"
        for name, value in self.values.items():
            figures = (value.mean, math.sqrt(value.variance), value.median, value.mode)
            shown = "".join(f"{figure:>9.2f}" for figure in figures) if value.n else f"{'none':>9}"
            yield f"{name.replace('_', ' '):24}{value.n:>9}{shown}{_mark(value.exact)}"
        for name, table in (*self.classes.items(), *self.findings.items()):
            shown = "".join(f"{n:>9}" for n in table.counts) if table.divided else f"{'not told':>9}"
            yield f"{name.replace('_', ' '):24}{shown}{_mark(table.exact)}"
        yield f"{'channel mean':24}" + "".join(f"{value:>9.3f}" for value in self.image_mean)
        yield f"{'channel SD':24}" + "".join(f"{value:>9.3f}" for value in self.image_std)
        for site, reasons in self.absent.items():
            for why in sorted(set(reasons.values())):
                names = ", ".join(name.replace("_", " ") for name in reasons if reasons[name] == why)
                yield f"not told by {site}: {names} ({REASONS[why]})"


def moments(n: float, sums: Sequence[float], squares: Sequence[float]) -> tuple[float, float]:
    """Mean and population variance; the same bits whatever the order of the sums (math.fsum rounds once)."""
    mean = math.fsum(sums) / n
    return mean, max(0.0, math.fsum(squares) / n - mean * mean)


def deviation(mean: float, variance: float) -> float:
    """The standard deviation; 1 where nothing varies, so that nothing is divided by 0."""
    return math.sqrt(variance) if variance > 1e-12 * max(1.0, mean * mean) else 1.0


def _mark(exact: bool) -> str:
    return "" if exact else "  ~"
