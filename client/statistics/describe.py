"""What would leave, in words: every figure of an answer, what was merged or left out of it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared_model.records import FINDINGS, TASKS
from shared_model.statistics import FLAGS, REASONS, YEARS, Counts, SiteStatistics, Years

_CELLS = {
    "sex": ("female", "male"),
    "eye": ("right", "left"),
    "insulin": ("no", "yes"),
    "diabetes": ("no", "yes"),
    **{f"finding_{name}": ("absent", "present") for name in FINDINGS},
}
_TITLES = {"icdr": "ICDR", "sdrg": "SDRG"}


def render(answer: Mapping[str, Any]) -> str:
    """The answer for a person, complete: nothing else leaves. answer: what client.statistics.site_answer gives.

    Raises DataError for something that is no answer.
    """
    told = SiteStatistics.from_dict(answer)
    return "\n".join(line.rstrip() for line in _lines(told))


def _lines(told: SiteStatistics) -> Iterator[str]:
    yield _rule(told)
    yield ""
    for name, what in (
        ("records", "photographs"),
        ("patients", "patients"),
        ("notes", "photographs with a note"),
    ):
        value = told.items()[name]
        yield _row(f"training {what}", _why(told, name) if value is None else str(value))
    for name in (*YEARS, *FLAGS, *TASKS, *(f"finding_{finding}" for finding in FINDINGS)):
        item = told.items()[name]
        table = item.counts if isinstance(item, Years) else item
        yield _row(_title(name), _why(told, name) if table is None else _table(name, table))
        if isinstance(item, Years) and item.sum is not None:
            yield _row("", f"sum {item.sum:g}, sum of squares {item.sum_of_squares:g}")
        if table is not None and _rest(told, table):
            yield _row("", _rest(told, table))
    photographs = told.photographs
    if photographs is None:
        yield _row("colour channels", _why(told, "image_channels"))
    else:
        sums = ", ".join(f"{value:.6g}" for value in (*photographs.sum, *photographs.sum_of_squares))
        yield _row("colour channels", f"{photographs.pixels} pixels; sums and sums of squares {sums}")
    yield _row("schema", told.schema)


def _rule(told: SiteStatistics) -> str:
    if told.epsilon:
        return (
            f"Noise of privacy budget {told.epsilon:g} is on every count below; one photograph a patient enters. "
            "Nothing is merged: the noise hides small counts."
        )
    if told.minimum > 1:
        return (
            f"No count below rests on fewer than {told.minimum} patients: smaller cells, empty ones included, "
            'are added to their neighbours ("a to b" is one count) or withheld.'
        )
    return "Exact counts: nothing is merged, withheld or noised."


def _table(name: str, table: Counts) -> str:
    parts = []
    for first, last, count in table.groups():
        if count or name not in YEARS:  # 121 years are mostly empty
            parts.append(f"{_cells(name, first, last)}: {count}")
    unit = " years" if name in YEARS else ""
    listed = ", ".join(parts) or "none"
    return f"{table.total} photographs{' by' + unit if unit else ''} ({listed})"


def _cells(name: str, first: int, last: int) -> str:
    names = _CELLS.get(name)
    a, b = (names[first], names[last]) if names else (str(first), str(last))
    return a if first == last else f"{a} or {b}" if names else f"{a} to {b}"


def _rest(told: SiteStatistics, table: Counts) -> str:
    """The photographs that a table does not count."""
    rest = 0 if told.records is None or told.epsilon else told.records - table.total
    if not rest:
        return ""
    also = ", some perhaps held back so that few do not show" if told.minimum > 1 else ""
    return f"{rest} of {told.records} photographs without it{also}"


def _why(told: SiteStatistics, name: str) -> str:
    return f"not told: {REASONS[told.absent[name]]}"


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))


def _row(what: str, value: str) -> str:
    return f"{what:36}{value}"
