"""Three lines: can this site join, with what, and what to fix first.

A site joins with what it has: photographs alone are enough, and rows that cannot be used cost themselves only. What
stops it is the absence of anyone to train on, or data that cannot be opened at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client.check.finding import LEVELS, Finding
from client.check.summary import Summary

READY, WARNINGS, CANNOT = 0, 1, 2
# Of the warnings, those that no training is the worse for.
_HARMLESS = ("identifier_in_header", "identifier_in_note", "photograph_without_row", "memory_short")


@dataclass(frozen=True)
class Verdict:
    """code: 0 ready, 1 usable with warnings, 2 cannot join; the command exits with it."""

    code: int
    join: str
    has: str
    first: str

    @property
    def lines(self) -> tuple[str, str, str]:
        """The three lines."""
        return self.join, self.has, self.first


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """What stops the site first, then what costs most rows, then what concerns most; what does no harm last."""
    return sorted(findings, key=lambda f: (LEVELS.index(f.level), f.kind in _HARMLESS, -f.count, f.kind))


def decide(summary: Summary | None, findings: Sequence[Finding]) -> Verdict:
    """The verdict; summary: None where the data could not be read at all."""
    listed = ordered(findings)
    stops = [finding for finding in listed if finding.level == "blocks"]
    if stops:
        code, join = CANNOT, f"Cannot join: {stops[0].what}"
    elif any(finding.level in ("costs_rows", "warning") for finding in listed):
        code, join = WARNINGS, f"Can join, with warnings{_share(summary)}."
    else:
        code, join = READY, "Can join."
    return Verdict(code, join, _has(summary), _first(listed))


def blocking(summary: Summary, minimum: int) -> list[Finding]:
    """Findings of what keeps a site that has records from joining; minimum: patients its policy asks for."""
    patients, _ = summary.sides["train"]
    if patients == 0:
        return [
            _block(
                "no_training_patients",
                "no patient is left to train on.",
                "Add patients, or a larger split.train.",
            )
        ]
    if patients < minimum:
        return [
            _block(
                "too_few_patients",
                f"only {patients} patients are left to train on, and the site's own policy gives no figure of "
                f"fewer than {minimum}.",
                "Add patients, or lower minimum_cell under [policy] in site.toml.",
                patients,
            )
        ]
    return []


def shortcomings(summary: Summary) -> list[Finding]:
    """What the site lacks without being kept from joining."""
    found = [
        (
            summary.graded("icdr") == 0,
            "no_grades",
            "No photograph has an ICDR grade: the site trains without grading, and nothing can be graded on it.",
            "Add the grades if there are any.",
        ),
        (
            summary.sides["test"][0] == 0,
            "no_test_patients",
            "No patient is left to test on: the model's quality at this site will not be known.",
            "Add patients, or leave more of them to the test ([split] in site.toml).",
        ),
    ]
    absent = [
        (
            summary.notes.notes == 0,
            "no_notes",
            "There are no notes: the site takes part without them.",
            "Nothing need be done; map a column of notes if there is one.",
        ),
        (
            summary.structured == 0,
            "no_structured_values",
            "There are no structured values beside the eye: the site takes part without them.",
            "Nothing need be done; map their columns if there are any.",
        ),
    ]
    count = summary.photographs
    return [
        *(Finding(kind, "warning", what, "", count, fix) for holds, kind, what, fix in found if holds),
        *(Finding(kind, "note", what, "", count, fix) for holds, kind, what, fix in absent if holds),
    ]


def _block(kind: str, what: str, fix: str, count: int = 0) -> Finding:
    return Finding(kind, "blocks", what, "", count, fix)


def _share(summary: Summary | None) -> str:
    if summary is None or not summary.rows_set_aside:
        return ""
    kept = summary.rows - summary.rows_set_aside
    return f": {summary.rows_set_aside:,} of {summary.rows:,} rows are set aside, the other {kept:,} are used"


def _has(summary: Summary | None) -> str:
    if summary is None:
        return "With nothing yet: no record could be read."
    train = summary.sides["train"][0]
    counted = [
        f"{summary.photographs:,} photographs of {summary.patients:,} patients ({train:,} to train on)",
        f"{summary.graded():,} graded",
        f"{summary.notes.notes:,} with a note",
        f"{summary.structured:,} with structured values",
    ]
    return f"With {', '.join(counted)}."


def _first(listed: Sequence[Finding]) -> str:
    if not listed or listed[0].level == "note":
        return "Nothing needs fixing."
    first = listed[0]
    what = first.what[0].upper() + first.what[1:]
    return f"Fix first: {what} {first.fix}"
