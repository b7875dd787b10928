"""What the measured photographs amount to: those that cannot be read, those worth a look, names in their headers.

Only what is certain costs a record. That a photograph seems blank, dark or no retina is a judgement, and a header
is mended at the source: both are warned about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pandas as pd

from client.adapters import Loaded
from client.check.finding import Finding, place_of
from client.check.measurement import Measurement
from client.check.quality import judge

# Kind of an unreadable photograph -> words of its reason; the first that fits.
_UNREADABLE = {
    "image_empty": ("empty",),
    "image_missing": ("absent",),
    "image_too_large": ("larger than", "million pixels"),
    "image_not_an_image": ("not an image", "is not read (save"),
    "image_truncated": ("truncated", "ends early", "checksum", "damaged"),
}
_JUDGED = {
    "blank": ("image_blank", "photographs seem to show nothing"),
    "dark": ("image_dark", "photographs seem too dark to grade"),
    "not_fundus": ("image_not_fundus", "photographs do not look like colour photographs of a retina"),
}


def photograph_findings(loaded: Loaded, measured: Mapping[str, Measurement]) -> list[Finding]:
    """Findings of the photographs of a table; measured: record -> its measurement."""
    return [*_unreadable(loaded, measured), *_judged(loaded, measured), *_headers(loaded, measured)]


def unreadable_rows(table: pd.DataFrame, measured: Mapping[str, Measurement]) -> dict[str, str]:
    """Record -> why its photograph cannot be used, of those that cannot."""
    return {
        record: measured[record].problem
        for record in table["record_id"]
        if record in measured and measured[record].problem
    }


def _unreadable(loaded: Loaded, measured: Mapping[str, Measurement]) -> list[Finding]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for record, reason in unreadable_rows(loaded.table, measured).items():
        by_reason[reason].append(record)
    return [
        Finding(
            kind=_kind(reason),
            level="costs_rows",
            what=f"{len(records)} photographs cannot be read ({reason}); their rows are set aside.",
            where=place_of(records, loaded.source, loaded.lines),
            count=len(records),
            fix="Export or copy them again from where they came from.",
            rows=tuple(records),
        )
        for reason, records in by_reason.items()
    ]


def _judged(loaded: Loaded, measured: Mapping[str, Measurement]) -> list[Finding]:
    by_kind: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in loaded.table["record_id"]:
        judgement = judge(measured[record]) if record in measured else None
        if judgement:
            by_kind[judgement.kind][judgement.why].append(record)
    return [
        Finding(
            kind=_JUDGED[kind][0],
            level="warning",
            what=f"{len(records)} {_JUDGED[kind][1]}: {why}.",
            where=place_of(records, loaded.source, loaded.lines),
            count=len(records),
            fix="Look at them, and leave out the rows of those that are useless. Nothing is removed for a judgement.",
            rows=tuple(records),
        )
        for kind, reasons in by_kind.items()
        for why, records in reasons.items()
    ]


def _headers(loaded: Loaded, measured: Mapping[str, Measurement]) -> list[Finding]:
    held: dict[str, list[str]] = defaultdict(list)
    for record in loaded.table["record_id"]:
        for field in measured[record].identifiers if record in measured else ():
            held[field].append(record)
    return [
        Finding(
            kind="identifier_in_header",
            level="warning",
            what=f"{len(records)} photographs hold identifiers in their headers ({field}). Headers are never used.",
            where=place_of(records, loaded.source, loaded.lines),
            count=len(records),
            fix="Remove the field where the photographs are exported; nothing of it reaches model or statistics.",
            rows=tuple(records),
        )
        for field, records in held.items()
    ]


def _kind(reason: str) -> str:
    found = (kind for kind, words in _UNREADABLE.items() if any(word in reason for word in words))
    return next(found, "image_unreadable")
