"""Three lines: can this site join, with what, and what to fix first.

A site joins with what it has: photographs alone are enough, and rows that cannot be used cost themselves only. What
stops it is the absence of anyone to train on, or data that cannot be opened at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client.check.finding import LEVELS, Finding
from client.check.summary import Summary
from shared_model.wording import counted, worded

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


def blocking(summary: Summary, minimum: int, findings: Sequence[Finding]) -> list[Finding]:
    """Findings of what keeps a site from joining.

    minimum: patients its policy asks for; findings: all others, of which the gravest says what to mend first.
    """
    if not summary.photographs:
        return [_nothing_usable(summary, findings)]
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
                worded("only {n} [patient is|patients are] left to train on", patients)
                + f", and the site's own policy gives no figure of fewer than {minimum}.",
                "Add patients, or lower minimum_cell under [policy] in site.toml.",
                patients,
            )
        ]
    return []


def _nothing_usable(summary: Summary, findings: Sequence[Finding]) -> Finding:
    costs = [finding for finding in ordered(findings) if finding.level in ("blocks", "costs_rows")]
    what = worded("[the one row there is|none of the {n} rows] can[not|] be used.", summary.rows)
    if not summary.rows:
        what = "no record of a patient who may be used is left."
    if not costs:
        return _block("no_usable_row", what, "Add data of patients who are not excluded.")
    first = costs[0]
    return Finding("no_usable_row", "blocks", what, first.where, summary.rows, f"{first.what} {first.fix}")


def shortcomings(summary: Summary) -> list[Finding]:
    """What the site lacks without being kept from joining; nothing where it has nothing."""
    if not summary.photographs:
        return []
    found = [
        (
            summary.graded("icdr") == 0,
            "no_grades",
            "No photograph has an ICDR grade: the site trains without grading, and nothing can be graded on it.",
            "Add the grades if there are any.",
        ),
        *(
            (
                summary.sides[side][0] == 0,
                f"no_{side}_patients",
                f"No patient is left to {purpose}.",
                f"Add patients, or leave more of them to the {side} ([split] in site.toml, or split.csv).",
            )
            for side, purpose in _PURPOSES.items()
        ),
    ]
    absent = [
        (summary.notes.notes == 0, "no_notes", "notes", "map a column of notes if there is one"),
        (
            summary.structured == 0,
            "no_structured_values",
            "structured values beside the eye",
            "map their columns if there are any",
        ),
    ]
    count = summary.photographs
    return [
        *(Finding(kind, "warning", what, "", count, fix) for holds, kind, what, fix in found if holds),
        *(_absent(kind, what, fix, summary) for holds, kind, what, fix in absent if holds),
    ]


_PURPOSES = {
    "validation": "validate on: this site has no say in when training stops",
    "test": "test on: the model's quality at this site will not be known",
}


def _absent(kind: str, what: str, fix: str, summary: Summary) -> Finding:
    """The note that the site lacks something, or keeps it back."""
    if any(what.startswith(kept.partition(" and ")[0]) for kept in summary.kept_back):
        said = f"The site's policy keeps {what} back: it takes part without them."
        return Finding(kind, "note", said, "", summary.photographs, "Nothing need be done.")
    said = f"There are no {what}: the site takes part without them."
    return Finding(kind, "note", said, "", summary.photographs, f"Nothing need be done; {fix}.")


def _block(kind: str, what: str, fix: str, count: int = 0) -> Finding:
    return Finding(kind, "blocks", what, "", count, fix)


def _share(summary: Summary | None) -> str:
    if summary is None or not summary.rows_set_aside:
        return ""
    kept = summary.rows - summary.rows_set_aside
    said = worded(
        "{n} of {rows} [is|are] set aside", summary.rows_set_aside, rows=counted(summary.rows, "row")
    )
    return f": {said}, " + worded("the other [one is|{n} are] used", kept)


def _has(summary: Summary | None) -> str:
    if summary is None or not summary.photographs:
        return "With nothing yet: no record can be used."
    train = summary.sides["train"][0]
    has = [
        f"{counted(summary.photographs, 'photograph')} of {counted(summary.patients, 'patient')} "
        f"({train:,} to train on)",
        f"{summary.graded():,} graded",
        f"{summary.notes.notes:,} with a note",
        f"{summary.structured:,} with structured values",
    ]
    return f"With {', '.join(has)}."


def _first(listed: Sequence[Finding]) -> str:
    if not listed or listed[0].level == "note":
        return "Nothing needs fixing."
    first = listed[0]
    if first.kind == "no_usable_row":
        return f"Fix first: {first.fix}"
    what = first.what[0].upper() + first.what[1:]
    return f"Fix first: {what} {first.fix}"
