"""Round 0: what a site says about its training patients, and what the federation makes of all answers.

A site sends sums and counts, never values; sums pool exactly, so the standardisation is the one that pooled
data would give, and whatever the order of arrival its last bit is the same (math.fsum rounds once). It is
frozen into the model: training, validation and inference at every site use the same one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared_model.errors import DataError
from shared_model.records import GRADES, STRUCTURED, TASKS

YEARS = ("age", "diabetes_duration")  # medians come from a histogram with a bin for every year
FLAGS = tuple(name for name in STRUCTURED if name not in YEARS)
BINS = 121  # 0 to 120 years, to the nearest
CHANNELS = 3

Cell = int | None  # a count, None where it was suppressed


@dataclass(frozen=True)
class Years:
    """A value in years: how many, their sum and sum of squares, and a count for each rounded year (BINS,)."""

    n: int
    sum: float
    sum_of_squares: float
    histogram: tuple[Cell, ...]


@dataclass(frozen=True)
class Photographs:
    """Pixels of all photographs: count, and a channel's sum and sum of squares, in [0, 1]."""

    pixels: int
    sum: tuple[float, ...]
    sum_of_squares: tuple[float, ...]


@dataclass(frozen=True)
class SiteStatistics:
    """One site's answer.

    years, flags: structured value -> its summary, its counts of 0 and 1. classes: task -> photographs of each
    grade. None where something was suppressed.
    """

    records: Cell
    patients: Cell
    years: Mapping[str, Years | None]
    flags: Mapping[str, tuple[Cell, ...]]
    classes: Mapping[str, tuple[Cell, ...]]
    photographs: Photographs | None

    def to_dict(self) -> dict[str, Any]:
        """The message that travels: plain, JSON-serialisable."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> SiteStatistics:
        """The answer in a message. Raises DataError for one that no site could truthfully send."""
        try:
            photographs = message["photographs"]
            return cls(
                records=_cell(message["records"]),
                patients=_cell(message["patients"]),
                years={name: _years(message["years"][name]) for name in YEARS},
                flags={name: _cells(message["flags"][name], 2) for name in FLAGS},
                classes={task: _cells(message["classes"][task], GRADES) for task in TASKS},
                photographs=None if photographs is None else _photographs(photographs),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"A site's statistics cannot be understood ({type(error).__name__}: {error}).",
                where="round 0",
                fix="Run the same version of FedFundus at the site and at the coordinator.",
            ) from None


@dataclass(frozen=True)
class Standardisation:
    """How inputs are scaled and gaps filled, frozen into the model.

    mean, std, impute, available: one entry for each of STRUCTURED, before standardising; `available` is False
    for a value that no training patient has, which then always enters as 0. image_mean, image_std: (3,) in
    [0, 1]. class_counts: task -> training photographs of each grade.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    impute: tuple[float, ...]
    available: tuple[bool, ...]
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    class_counts: Mapping[str, tuple[int, ...]]

    def apply(self, table: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Standardised values (N, 6) in the order of STRUCTURED, and whether any was recorded (N,)."""
        values = table[list(STRUCTURED)].to_numpy(dtype=np.float64, na_value=np.nan)
        values = np.where(np.array(self.available), values, np.nan)
        present = ~np.isnan(values).all(axis=1)
        filled = np.where(np.isnan(values), np.array(self.impute), values)
        return ((filled - np.array(self.mean)) / np.array(self.std)).astype(np.float32), present

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable; from_dict gives the same object back, bit for bit."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Standardisation:
        """The standardisation in a message or a model folder. Raises DataError for a malformed one."""
        six, three = len(STRUCTURED), CHANNELS
        try:
            return cls(
                mean=_numbers(message["mean"], six),
                std=_numbers(message["std"], six, positive=True),
                impute=_numbers(message["impute"], six),
                available=tuple(bool(value) for value in _exactly(message["available"], six)),
                image_mean=_numbers(message["image_mean"], three),
                image_std=_numbers(message["image_std"], three, positive=True),
                class_counts={
                    task: tuple(cell or 0 for cell in _cells(message["class_counts"][task], GRADES))
                    for task in TASKS
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"The standardisation cannot be understood ({type(error).__name__}: {error}).",
                where="standardisation",
                fix="Take it from the folder of a finished run.",
            ) from None


def pool(messages: Iterable[Mapping[str, Any]]) -> Standardisation:
    """The standardisation of all sites' answers (SiteStatistics.to_dict); suppressed cells count as 0.

    Raises DataError for an answer that is malformed.
    """
    sites = [SiteStatistics.from_dict(message) for message in messages]
    scales = {name: _pool_years([site.years[name] for site in sites]) for name in YEARS}
    scales |= {name: _pool_flags([site.flags[name] for site in sites]) for name in FLAGS}
    mean, std, impute, available = zip(*(scales[name] for name in STRUCTURED), strict=True)
    image_mean, image_std = _pool_photographs([s.photographs for s in sites if s.photographs is not None])
    return Standardisation(
        mean=mean,
        std=std,
        impute=impute,
        available=available,
        image_mean=image_mean,
        image_std=image_std,
        class_counts={task: _sum_cells([site.classes[task] for site in sites], GRADES) for task in TASKS},
    )


_UNAVAILABLE = (0.0, 1.0, 0.0, False)


def _pool_years(answers: Sequence[Years | None]) -> tuple[float, float, float, bool]:
    known = [answer for answer in answers if answer is not None and answer.n]
    n = sum(answer.n for answer in known)
    if not n:
        return _UNAVAILABLE
    mean, std = _moments(n, [a.sum for a in known], [a.sum_of_squares for a in known])
    histogram = _sum_cells([answer.histogram for answer in known], BINS)
    return mean, std, _median(histogram) if sum(histogram) else mean, True


def _pool_flags(answers: Sequence[tuple[Cell, ...]]) -> tuple[float, float, float, bool]:
    zeros, ones = _sum_cells(answers, 2)
    if not zeros + ones:
        return _UNAVAILABLE
    mean, std = _moments(zeros + ones, [ones], [ones])
    return mean, std, 1.0 if ones > zeros else 0.0, True


def _pool_photographs(answers: Sequence[Photographs]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    n = sum(answer.pixels for answer in answers)
    if not n:
        return (0.0,) * CHANNELS, (1.0,) * CHANNELS
    moments = [
        _moments(n, [a.sum[c] for a in answers], [a.sum_of_squares[c] for a in answers])
        for c in range(CHANNELS)
    ]
    return tuple(mean for mean, _ in moments), tuple(std for _, std in moments)


def _moments(n: int, sums: Iterable[float], squares: Iterable[float]) -> tuple[float, float]:
    """Mean and population standard deviation; 1 where nothing varies, so that nothing is divided by 0."""
    mean = math.fsum(sums) / n
    variance = math.fsum(squares) / n - mean * mean
    return mean, math.sqrt(variance) if variance > 1e-12 * max(1.0, mean * mean) else 1.0


def _median(histogram: Sequence[int]) -> float:
    cumulative = np.cumsum(histogram)
    middle = [(int(cumulative[-1]) - 1) // 2, int(cumulative[-1]) // 2]
    return float(np.searchsorted(cumulative, middle, side="right").mean())


def _sum_cells(answers: Sequence[tuple[Cell, ...]], length: int) -> tuple[int, ...]:
    return tuple(sum(answer[i] or 0 for answer in answers) for i in range(length))


def _years(message: Mapping[str, Any] | None) -> Years | None:
    if message is None:
        return None
    total, squares = _numbers([message["sum"], message["sum_of_squares"]], 2)
    return Years(_count(message["n"]), total, squares, _cells(message["histogram"], BINS))


def _photographs(message: Mapping[str, Any]) -> Photographs:
    return Photographs(
        _count(message["pixels"]),
        _numbers(message["sum"], CHANNELS),
        _numbers(message["sum_of_squares"], CHANNELS),
    )


def _exactly(values: Sequence[Any], length: int) -> Sequence[Any]:
    if isinstance(values, str) or len(values) != length:
        raise ValueError(f"{length} entries expected")
    return values


def _numbers(values: Sequence[Any], length: int, *, positive: bool = False) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in _exactly(values, length))
    if not all(math.isfinite(number) and (number > 0 or not positive) for number in numbers):
        raise ValueError("a number is not finite or not positive")
    return numbers


def _count(value: Any) -> int:
    if isinstance(value, bool) or value != int(value) or value < 0:
        raise ValueError("a count is not a whole number of at least 0")
    return int(value)


def _cell(value: Any) -> Cell:
    return None if value is None else _count(value)


def _cells(values: Sequence[Any], length: int) -> tuple[Cell, ...]:
    return tuple(_cell(value) for value in _exactly(values, length))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
