"""All sites' answers of round 0 as one: sums pool exactly, whatever the order of arrival.

Every summary of a value follows from its pooled table of counts; only where all sites told exact sums of years
(nothing had to be protected) do mean and variance come from those, as pooled data would give them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shared_model.errors import DataError
from shared_model.records import FINDINGS, GRADES, STRUCTURED, TASKS
from shared_model.statistics.answer import BINS, CHANNELS, YEARS, Photographs, SiteStatistics, Years
from shared_model.statistics.counts import Counts, median, normal_curve, pooled
from shared_model.statistics.federation import Classes, FederationStatistics, Value, deviation, moments
from shared_model.statistics.standardisation import Standardisation

_UNKNOWN = ("refused", "few_changed")  # reasons that leave open whether there is anything


def pool(messages: Iterable[Mapping[str, Any]]) -> Standardisation:
    """The standardisation of all sites' answers (SiteStatistics.to_dict).

    Raises DataError for an answer that is malformed.
    """
    return summarise((f"{number:06d}", message) for number, message in enumerate(messages)).standardisation()


def summarise(messages: Iterable[tuple[str, Mapping[str, Any]]]) -> FederationStatistics:
    """The pooled statistics of (site, answer); the same object whatever the order.

    Raises DataError for an answer that is malformed, and for a site whose records have another schema.
    """
    sites = {name: _understood(name, answer) for name, answer in sorted(messages, key=lambda m: m[0])}
    answers = list(sites.values())
    image_mean, image_std = _photographs([a.photographs for a in answers if a.photographs is not None])
    return FederationStatistics(
        sites=tuple(sites),
        records=sum(answer.records or 0 for answer in answers),
        patients=sum(answer.patients or 0 for answer in answers),
        notes=any(answer.notes or answer.absent.get("notes") in _UNKNOWN for answer in answers),
        values={name: _value(name, answers) for name in STRUCTURED},
        classes={task: _classes(task, GRADES, answers) for task in TASKS},
        findings={name: _classes(f"finding_{name}", 2, answers) for name in FINDINGS},
        pixels=sum(answer.photographs.pixels for answer in answers if answer.photographs is not None),
        image_mean=image_mean,
        image_std=image_std,
        absent={name: dict(answer.absent) for name, answer in sites.items() if answer.absent},
        minimum={name: answer.minimum for name, answer in sites.items()},
        epsilon={name: answer.epsilon for name, answer in sites.items()},
        schema=_one_schema(sites),
    )


def _understood(site: str, message: Mapping[str, Any]) -> SiteStatistics:
    try:
        return SiteStatistics.from_dict(message)
    except DataError as error:
        raise DataError(error.what, where=f"{error.where}, site {site}", fix=error.fix) from None


def _one_schema(sites: Mapping[str, SiteStatistics]) -> str:
    first = next(iter(sites.values())).schema if sites else ""
    for name, answer in sites.items():
        if answer.schema != first:
            raise DataError(
                "a site's records have another schema",
                where=f"site {name}",
                fix="run the same version of FedFundus at every site",
            )
    return first


def _value(name: str, answers: Sequence[SiteStatistics]) -> Value:
    if name in YEARS:
        return _years([a.years[name] for a in answers], _exact(name, answers))
    tables = [table for a in answers if (table := a.flags[name]) is not None]
    counts, _ = pooled(tables, 2)
    value = _summary(counts, [counts[1]], [counts[1]], _exact(name, answers))
    # Imputing either of two values that nobody told apart could mean the rare one: neither does no harm.
    return value if _divided(tables) or not value.n else replace(value, mode=0.5)


def _years(told: Sequence[Years | None], exact: bool) -> Value:
    known = [years for years in told if years is not None]
    counts, own = pooled([years.counts for years in known], BINS, normal_curve)
    cells = np.arange(BINS)
    pairs = list(zip(known, own, strict=True))
    sums = [float(table @ cells) if years.sum is None else years.sum for years, table in pairs]
    squares = [
        float(table @ cells**2) if years.sum_of_squares is None else years.sum_of_squares
        for years, table in pairs
    ]
    return _summary(counts, sums, squares, exact)


def _summary(counts: Sequence[float], sums: Sequence[float], squares: Sequence[float], exact: bool) -> Value:
    n = math.fsum(counts)
    if not round(n):
        return Value(0, 0.0, 0.0, 0.0, 0.0, exact)
    mean, variance = moments(n, sums, squares)
    return Value(round(n), mean, variance, median(counts), float(np.argmax(counts)), exact)


def _classes(name: str, cells: int, answers: Sequence[SiteStatistics]) -> Classes:
    tables = [table for a in answers if (table := a.tables().get(name)) is not None]
    counts, _ = pooled(tables, cells)
    return Classes(tuple(round(value) for value in counts), _exact(name, answers), _divided(tables))


def _divided(tables: Sequence[Counts]) -> bool:
    return any(len(table.starts) > 1 for table in tables)


def _exact(name: str, answers: Sequence[SiteStatistics]) -> bool:
    return all(
        not answer.epsilon and (table := answer.tables().get(name)) is not None and not table.merged
        for answer in answers
    )


def _photographs(answers: Sequence[Photographs]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    n = sum(answer.pixels for answer in answers)
    if not n:
        return (0.0,) * CHANNELS, (1.0,) * CHANNELS
    pairs = [
        moments(n, [a.sum[c] for a in answers], [a.sum_of_squares[c] for a in answers])
        for c in range(CHANNELS)
    ]
    return tuple(mean for mean, _ in pairs), tuple(deviation(mean, variance) for mean, variance in pairs)
