"""A site's answer to round 0: counts over its training patients, and the reason for everything that is not there.

Reasons are one of a few words, never a site's own text. Below a minimum count, everything about a value is its
table of counts, so that what protects the table protects it all: exact sums beside a merged table would tell
how a group divides (13 patients of 33 or 34 years whose ages sum to 437 are five and eight).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.errors import DataError
from shared_model.records import FINDINGS, GRADES, SCHEMA, STRUCTURED, TASKS
from shared_model.statistics.counts import Counts
from shared_model.statistics.reading import count, number, numbers

YEARS = ("age", "diabetes_duration")  # medians come from a table with a cell for every year
FLAGS = tuple(name for name in STRUCTURED if name not in YEARS)
BINS = 121  # 0 to 120 years, to the nearest
CHANNELS = 3

REASONS = {
    "refused": "the site's policy does not answer this",
    "too_few_patients": "it would rest on fewer patients than the site's minimum",
    "small_difference": "beside the number of photographs it would single out a few patients",
    "few_changed": "few patients have changed in it since an earlier answer, which it could be subtracted from",
    "noise": "under noise every patient enters with one photograph",
    "no_photographs": "the site has no prepared photographs",
}


@dataclass(frozen=True)
class Years:
    """A value in years. counts: (BINS) of the nearest whole year; sums of the exact values, None where the
    table is all that is told.
    """

    counts: Counts
    sum: float | None = None
    sum_of_squares: float | None = None


@dataclass(frozen=True)
class Photographs:
    """Pixels of all photographs: count, and a channel's sum and sum of squares, in [0, 1]."""

    pixels: int
    sum: tuple[float, ...]
    sum_of_squares: tuple[float, ...]


@dataclass(frozen=True)
class SiteStatistics:
    """One site's answer. Counts are of photographs.

    schema: fingerprint of the canonical record. minimum: patients a count rests on; epsilon: budget of the
    noise, 0 for none. notes: photographs with a note. years, flags (0, 1), classes (grade), findings (0, 1):
    name -> table, None where absent; absent: what -> one of REASONS.
    """

    schema: str
    minimum: int
    epsilon: float
    records: int | None
    patients: int | None
    notes: int | None
    years: Mapping[str, Years | None]
    flags: Mapping[str, Counts | None]
    classes: Mapping[str, Counts | None]
    findings: Mapping[str, Counts | None]
    photographs: Photographs | None
    absent: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The message that travels: plain, JSON-serialisable, always of the same keys."""
        return {
            "schema": self.schema,
            "minimum": self.minimum,
            "epsilon": self.epsilon,
            "records": self.records,
            "patients": self.patients,
            "notes": self.notes,
            "years": {name: _years_message(self.years[name]) for name in YEARS},
            "flags": _messages(self.flags, FLAGS),
            "classes": _messages(self.classes, TASKS),
            "findings": _messages(self.findings, FINDINGS),
            "photographs": _photographs_message(self.photographs),
            "absent": dict(sorted(self.absent.items())),
        }

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> SiteStatistics:
        """The answer in a message. Raises DataError for one that no site could truthfully send."""
        try:
            answer = cls(
                schema=_fingerprint(message["schema"]),
                minimum=count(message["minimum"]),
                epsilon=number(message["epsilon"]),
                records=_optional(message["records"]),
                patients=_optional(message["patients"]),
                notes=_optional(message["notes"]),
                years={name: _years(message["years"][name]) for name in YEARS},
                flags=_tables(message["flags"], FLAGS, 2),
                classes=_tables(message["classes"], TASKS, GRADES),
                findings=_tables(message["findings"], FINDINGS, 2),
                photographs=_photographs(message["photographs"]),
                absent=dict(message["absent"]),
            )
            answer._check()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(
                f"A site's statistics cannot be understood ({_told(error)}).",
                where="round 0",
                fix="Run the same version of FedFundus at the site and at the coordinator.",
            ) from None
        return answer

    def items(self) -> dict[str, Any]:
        """Everything that may be absent, by the name that `absent` uses."""
        findings = {f"finding_{name}": table for name, table in self.findings.items()}
        counts = {"records": self.records, "patients": self.patients, "notes": self.notes}
        return {
            **counts,
            "image_channels": self.photographs,
            **self.years,
            **self.flags,
            **self.classes,
            **findings,
        }

    def tables(self) -> dict[str, Counts]:
        """The tables there are."""
        items = (
            (name, item.counts if isinstance(item, Years) else item) for name, item in self.items().items()
        )
        return {name: item for name, item in items if isinstance(item, Counts)}

    def _check(self) -> None:
        missing = {name for name, item in self.items().items() if item is None}
        if missing != set(self.absent) or not set(self.absent.values()) <= set(REASONS):
            raise ValueError("what is absent and the reasons given do not fit")
        if self.epsilon < 0:
            raise ValueError("the budget of the noise is negative")
        if self.epsilon or self.records is None:
            return
        if any(table.total > self.records for table in self.tables().values()):
            raise ValueError("a table counts more photographs than there are")
        if max(self.patients or 0, self.notes or 0) > self.records:
            raise ValueError("there are more patients or notes than photographs")


def schema_fingerprint() -> str:
    """SHA-256 of the canonical record: its columns in order, their types and what they may hold."""
    columns = [
        [name, str(column.dtype), column.nullable, column.unique, _checks(column.checks)]
        for name, column in SCHEMA.columns.items()
    ]
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()


def _checks(checks: Iterable[Any]) -> list[str]:
    return [f"{check.name}{sorted((key, str(v)) for key, v in check.statistics.items())}" for check in checks]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error!s:.80}"


def _fingerprint(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("the fingerprint of the schema is none")
    return value


def _optional(value: Any) -> int | None:
    return None if value is None else count(value)


def _tables(message: Mapping[str, Any], names: Iterable[str], cells: int) -> dict[str, Counts | None]:
    found = {name: message[name] for name in names}
    return {name: None if item is None else Counts.from_dict(item, cells) for name, item in found.items()}


def _messages(tables: Mapping[str, Counts | None], names: Iterable[str]) -> dict[str, Any]:
    found = {name: tables[name] for name in names}
    return {name: None if table is None else table.to_dict() for name, table in found.items()}


def _years(message: Mapping[str, Any] | None) -> Years | None:
    if message is None:
        return None
    counts = Counts.from_dict(message, BINS)
    if message["sum"] is None and message["sum_of_squares"] is None:
        return Years(counts)
    total, squares = number(message["sum"]), number(message["sum_of_squares"])
    if not 0 <= total <= BINS * counts.total or not 0 <= squares <= BINS**2 * counts.total:
        raise ValueError("a sum of years does not fit its table")
    return Years(counts, total, squares)


def _years_message(years: Years | None) -> dict[str, Any] | None:
    if years is None:
        return None
    return {**years.counts.to_dict(), "sum": years.sum, "sum_of_squares": years.sum_of_squares}


def _photographs(message: Mapping[str, Any] | None) -> Photographs | None:
    if message is None:
        return None
    pixels = count(message["pixels"])
    sums, squares = numbers(message["sum"], CHANNELS), numbers(message["sum_of_squares"], CHANNELS)
    slack = 1e-9 * pixels  # sums of rounded numbers
    if not all(-slack <= q <= s + slack <= pixels + 2 * slack for s, q in zip(sums, squares, strict=True)):
        raise ValueError("sums of pixels do not fit their number")
    return Photographs(pixels, sums, squares)


def _photographs_message(photographs: Photographs | None) -> dict[str, Any] | None:
    if photographs is None:
        return None
    sums = {"sum": list(photographs.sum), "sum_of_squares": list(photographs.sum_of_squares)}
    return {"pixels": photographs.pixels, **sums}
