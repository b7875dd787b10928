"""Asks the real `check` about a folder, as an operator would, and what its answers mean in the words of the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from client.adapters import load
from client.check.contradictions import contradictions
from client.check.copies import Copies
from client.check.finding import Finding
from client.check.measure import measure
from client.check.photographs import photograph_findings, unreadable_rows
from client.check.rows import row_findings
from simulations.dirt.score import Said

UNREADABLE = ("image_empty", "image_not_an_image", "image_truncated", "image_unreadable", "image_too_large")

# Kind of the truth -> the kinds of check that say it. Why a file cannot be read is not held against the word for it.
MEANS: Mapping[str, tuple[str, ...]] = {
    "photograph_missing": ("photograph_missing", "image_missing"),
    **dict.fromkeys(
        ("photograph_empty", "photograph_truncated", "photograph_not_an_image", "photograph_header_damaged"),
        UNREADABLE,
    ),
    "photograph_named_twice": ("photograph_named_twice",),
    "grade_unreadable": ("grade_unreadable",),
    "row_ragged": ("row_ragged",),
    "patient_missing": ("id_missing",),
    "identical_same_patient": ("identical_same_patient",),
    "identical_across_patients": ("identical_across_patients", "identical_across_split"),
    "identical_conflicting_grades": ("identical_conflicting_grades",),
    "photograph_without_row": ("photograph_without_row",),
    "age_out_of_range": ("age_out_of_range",),
    "duration_longer_than_age": ("duration_longer_than_age",),
    "code_unknown": ("code_unknown",),
    "number_unreadable": ("number_unreadable",),
    "flag_against_grade": ("flag_against_grade",),
    "eye_graded_twice": ("eye_graded_twice",),
    "eye_twice": ("eye_twice",),
    "two_sexes": ("two_sexes",),
    "near_duplicate": ("near_duplicate", "near_duplicate_across_patients", "near_duplicate_across_split"),
    "blank": ("image_blank",),
    "too_dark": ("image_dark",),
    "not_a_fundus": ("image_not_fundus",),
    "identifier_in_header": ("identifier_in_header",),
    "identifier_in_note": ("identifier_in_note",),
}


def ask_check(folder: Path, adapter: str = "brset", options: Mapping[str, Any] | None = None) -> Said:
    """What check says of a data folder."""
    loaded = load(folder, adapter, options=options, mask_identifiers=False)
    table = loaded.table
    paths = dict(zip(table["record_id"], table["image_path"], strict=True))
    by_path = measure(list(paths.values()))
    measured = {record: by_path[path] for record, path in paths.items()}
    findings = [*row_findings(loaded), *contradictions(loaded), *photograph_findings(loaded, measured)]
    from client.check.duplicates import identical, near

    copies = Copies(table, loaded.source, dict(loaded.lines))
    records, numbers = list(measured), list(measured.values())
    findings += copies.identical([[records[at] for at in group] for group in identical(numbers)])
    findings += copies.near([[records[pair.first], records[pair.second]] for pair in near(numbers)])
    from client.check.notes import find_all, identifier_findings

    findings += identifier_findings(loaded, find_all(table["note"]), masked=True)
    aside = set(loaded.quarantine["record"]) | set(unreadable_rows(table, measured))
    return said(findings, aside)


def said(findings: Iterable[Finding], quarantined: Iterable[str]) -> Said:
    """Findings by kind; photographs that no row names go by their file's name."""
    named: dict[str, set[str]] = defaultdict(set)
    files: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        if finding.kind in MEANS["photograph_without_row"]:
            files[finding.kind].update(Path(row).name for row in finding.rows)
        else:
            named[finding.kind].update(finding.rows)
    return Said(
        named={kind: frozenset(records) for kind, records in named.items()},
        quarantined=frozenset(quarantined),
        files={kind: frozenset(names) for kind, names in files.items()},
    )


def unknown_kinds(answer: Said) -> dict[str, int]:
    """Kinds that check named and the truth has no word for, with the records named."""
    known = {word for words in MEANS.values() for word in words}
    return {kind: len(records) for kind, records in sorted(answer.named.items()) if kind not in known}
