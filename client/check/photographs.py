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
from shared_model.wording import worded

# Kind of an unreadable photograph -> words of its reason; the first that fits.
_UNREADABLE = {
    "image_empty": ("empty",),
    "image_missing": ("absent",),
    "image_too_large": ("larger than", "million pixels"),
    "image_not_an_image": ("not an image", "is not read (save"),
    "image_truncated": ("truncated", "ends early", "checksum", "damaged"),
}
_JUDGED = {
    "blank": ("image_blank", "{n} [photograph seems|photographs seem] to show nothing"),
    "dark": ("image_dark", "{n} [photograph seems|photographs seem] too dark to grade"),
    "not_fundus": (
        "image_not_fundus",
        "{n} [photograph does not look like a colour photograph|photographs do not look like colour photographs] of a "
        "retina",
    ),
}
# What a DICOM file is made of, or has with every hospital's.
_DICOM_USUAL = {
    f"dicom.{name}"
    for name in (
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientBirthTime",
        "AccessionNumber",
        "ReferringPhysicianName",
    )
}
_HEADER_TEXT = (
    "{n} [photograph holds|photographs hold] identifiers in [its header|their headers] ({field}). This field is never "
    "used.",
    "Remove the field where the photographs are exported; nothing of it reaches model or statistics.",
)
_HEADER_TEXTS = {
    "dicom.BurnedInAnnotation": (
        "{n} DICOM [header says that its|headers say that their] pixels show text, as of a name (BurnedInAnnotation).",
        "Look at them; what is written into a photograph is trained on like the rest of it.",
    )
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
            what=worded(
                "{n} [photograph|photographs] cannot be read ({reason}); [its row is|their rows are] set aside.",
                len(records),
                reason=reason,
            ),
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
            what=worded(f"{_JUDGED[kind][1]}: {{why}}.", len(records), why=why),
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
    usual = {field: records for field, records in held.items() if field in _DICOM_USUAL}
    found = [_dicom_names(usual, loaded.source)] if usual else []
    for field, records in held.items():
        if field not in usual:
            found.append(_header(field, records, loaded))
    return found


def _dicom_names(held: Mapping[str, list[str]], source: str) -> Finding:
    """One finding of what every DICOM file of a hospital holds: nothing to be mended, and no place to look at."""
    count = len({record for records in held.values() for record in records})
    fields = ", ".join(sorted(field.partition(".")[2] for field in held))
    return Finding(
        kind="identifier_in_dicom_header",
        level="note",
        what=worded(
            "{n} DICOM [header names its|headers name their] patient, as they do everywhere ({fields}). Patient, "
            "age and sex are read from them; nothing of them leaves the site.",
            count,
            fields=fields,
        ),
        where=source,
        count=count,
        fix="Nothing need be done.",
    )


def _header(field: str, records: list[str], loaded: Loaded) -> Finding:
    said, fix = _HEADER_TEXTS.get(field, _HEADER_TEXT)
    return Finding(
        kind="identifier_in_header",
        level="warning",
        what=worded(said, len(records), field=field),
        where=place_of(records, loaded.source, loaded.lines),
        count=len(records),
        fix=fix,
        rows=tuple(records),
    )


def _kind(reason: str) -> str:
    found = (kind for kind, words in _UNREADABLE.items() if any(word in reason for word in words))
    return next(found, "image_unreadable")
