"""What was planted where: the answer sheet that `check` is marked against.

An item is one thing that is wrong: a row, a pair of copies, a patient with two sexes. Kinds are named here, by the
planters, and know nothing of the words that `check` uses. The sheet also lists what the drawn data set had wrong
before anything was planted, and what a fair reader may call wrong without being marked down for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared_model.files import write_text

TRUTH = "truth.json"

# Kinds that follow from the data with certainty: all must be found.
COSTS_THE_ROW = (
    "photograph_missing",
    "photograph_empty",
    "photograph_truncated",
    "photograph_not_an_image",
    "photograph_header_damaged",
    "photograph_named_twice",
    "grade_unreadable",
    "row_ragged",
    "patient_missing",
)
KEEPS_THE_ROW = (
    "identical_same_patient",
    "identical_across_patients",
    "identical_conflicting_grades",
    "photograph_without_row",
    "age_out_of_range",
    "duration_longer_than_age",
    "code_unknown",
    "number_unreadable",
    "flag_against_grade",
    "eye_graded_twice",
    "eye_twice",
    "two_sexes",
)
CERTAIN = COSTS_THE_ROW + KEEPS_THE_ROW

# Kinds that a person would have to look at: warned about, never quarantined.
JUDGEMENTS = (
    "near_duplicate",
    "blank",
    "too_dark",
    "not_a_fundus",
    "identifier_in_header",
    "identifier_in_note",
)

# Measured and shown, without a claim.
UNCLAIMED = (
    "not_a_fundus_unseen",
    "identifier_in_note_unseen",
    "identifier_masked_unseen",
    "identifier_in_note_second",
    "identifier_masked_second",
    "name_second",
    "bare_name_second",
    "date_of_birth_second",
    "phone_second",
    "email_second",
    "cpf_second",
    "record_number_second",
    "clinical_words_second",
    "identifier_in_note_third",
    "identifier_masked_third",
    "name_third",
    "bare_name_third",
    "date_of_birth_third",
    "phone_third",
    "email_third",
    "cpf_third",
    "record_number_third",
    "clinical_words_third",
)

# Planted to be left alone: whatever is said of these rows is a false alarm.
HARMLESS = ("dim_but_usable", "unusual_but_good", "harmless_header", "harmless_note")


@dataclass(frozen=True)
class Item:
    """One thing that is wrong.

    sort: which way of going wrong (`depth 0.6`, `jpeg 55`). records: the image ids concerned; finding any of them
    finds the item. files: names of photographs without a row. also: other kinds it may fairly be called.
    planted: False where the drawn data set had it already. text: what must not be readable any more, in notes.
    span: where in the note it is, from and up to which character, of an identifier that is marked on its own.
    """

    kind: str
    sort: str = ""
    records: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    planted: bool = True
    text: tuple[str, ...] = ()
    span: tuple[int, ...] = ()


@dataclass
class Truth:
    """The answer sheet of one folder. tolerated: kind -> records that may or may not be called so."""

    seed: int
    items: list[Item] = field(default_factory=list)
    tolerated: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, kind: str, sort: str, *records: str, also: Iterable[str] = ()) -> None:
        """Write down a planted item of these records."""
        self.items.append(Item(kind, sort, records, also=tuple(also)))

    def of(self, kind: str) -> list[Item]:
        """The items of a kind."""
        return [item for item in self.items if item.kind == kind]

    def records(self, *kinds: str) -> set[str]:
        """All records of these kinds."""
        return {record for item in self.items if item.kind in kinds for record in item.records}

    def save(self, folder: Path) -> None:
        """Write truth.json into the folder."""
        content = {"seed": self.seed, "items": [asdict(item) for item in self.items]}
        content |= {"tolerated": self.tolerated, "lines": self.lines}
        write_text(folder / TRUTH, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_truth(folder: Path) -> Truth:
    """The truth.json of a planted folder."""
    content = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    items = [_item(entry) for entry in content["items"]]
    return Truth(content["seed"], items, content["tolerated"], content["lines"])


def _item(entry: dict[str, Any]) -> Item:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Item(**fields)
