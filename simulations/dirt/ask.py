"""Asks the real `check` about a folder, as an operator would, and what its answers mean in the words of the truth."""

from __future__ import annotations

import csv
import io
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from client.check.check import run_check
from client.check.finding import Finding
from client.site.config import load_site
from client.site.contents import QUARANTINE
from client.site.state import SiteState
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
    "not_a_fundus_unseen": ("image_not_fundus",),
    "identifier_in_header": ("identifier_in_header",),
    "identifier_in_note": ("identifier_in_note",),
}


def ask_check(folder: Path, adapter: str = "brset", options: Mapping[str, Any] | None = None) -> Said:
    """What check says of a data folder, from a site.toml and a state folder made for the question."""
    with tempfile.TemporaryDirectory(prefix="fedfundus-accuracy-") as home:
        data: dict[str, Any] = {"folder": str(folder.resolve()), "adapter": adapter}
        if options is not None:
            data[adapter] = dict(options)
        file = Path(home) / "site.toml"
        file.write_text(tomli_w.dumps({"site": {"name": "planted"}, "data": data}), encoding="utf-8")
        config = load_site(file)
        state = SiteState.open(config.state, config.key)
        findings = run_check(config, state, estimate=False).findings
        return said(findings, _aside(state.read(QUARANTINE) or b""))


def _aside(quarantine: bytes) -> set[str]:
    """The records of the rows in quarantine; a photograph without a row has no line there."""
    rows = csv.DictReader(io.StringIO(quarantine.decode("utf-8")))
    return {row["record"] for row in rows if row["line"]}


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
