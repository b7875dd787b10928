"""Finds and masks what could name a patient in free text, English and Portuguese, before anything reads the text.

Names, dates of birth, telephone numbers, e-mail addresses, CPF, and record, RG and SUS card numbers. Clinical text is
full of look-alikes ("20/40", "+2.00 -1.25 x 180", "DR grade 2", dates of examination), so a number counts only by its
label or by a shape that nothing clinical has. This lowers a risk and does not end it: a rare name that stands alone is
not found. Every pattern is bounded or possessive, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from client.data.identifier_births import births_in_rows, labelled_births
from client.data.identifier_lines import unbroken
from client.data.identifier_names import find_names
from client.data.identifier_phones import labelled_phones, shaped_phones
from client.data.identifier_records import (
    checked_cpfs,
    is_cpf,
    is_health_card,
    labelled_cpfs,
    labelled_records,
    shaped_records,
)
from client.data.identifier_rows import Field, fields_beside, fields_of_tables

__all__ = ["KINDS", "Identifier", "Kind", "find", "is_cpf", "is_health_card", "mask"]

Kind = Literal["name", "date_of_birth", "phone", "email", "cpf", "record_number"]
KINDS: tuple[Kind, ...] = ("name", "date_of_birth", "phone", "email", "cpf", "record_number")


@dataclass(frozen=True, order=True)
class Identifier:
    """text[start:end] is an identifier of this kind."""

    start: int
    end: int
    kind: Kind


_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,6}")

_ANY_DIGIT = re.compile(r"\d")


def find(text: str) -> list[Identifier]:
    """The identifiers of a text in order, none overlapping another; where two claim a place the surer one has it."""
    whole = unbroken(text)
    found = _find(whole.text)
    return [Identifier(*whole.before(one.start, one.end), one.kind) for one in found] if whole.cuts else found


def _find(text: str) -> list[Identifier]:
    found: list[Identifier] = []
    taken = bytearray(len(text))
    _place(_candidates(text), found, taken)
    if found and _ANY_DIGIT.search(text):
        rows = births_in_rows(text, [(known.start, known.end) for known in found])
        _place([Identifier(start, end, "date_of_birth") for start, end in rows], found, taken)
        known = [(one.start, one.end) for one in found if one.kind in ("name", "record_number")]
        _place(_identifiers(fields_beside(text, known)), found, taken)
    return sorted(found)


def _place(candidates: Iterable[Identifier], found: list[Identifier], taken: bytearray) -> None:
    for candidate in candidates:
        if candidate.end > candidate.start and not any(taken[candidate.start : candidate.end]):
            taken[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            found.append(candidate)


def mask(text: str, found: Sequence[Identifier] | None = None) -> str:
    """The text with each identifier replaced by its kind: `Seen by Dr. [name], DOB [date_of_birth].`

    found: what find() gave for this text, where that is known already.
    """
    pieces, at = [], 0
    for identifier in find(text) if found is None else found:
        pieces += [text[at : identifier.start], f"[{identifier.kind}]"]
        at = identifier.end
    return "".join([*pieces, text[at:]])


def _candidates(text: str) -> Iterator[Identifier]:
    """Surest first."""
    if "@" in text:
        yield from (Identifier(m.start(), m.end(), "email") for m in _EMAIL.finditer(text))
    if _ANY_DIGIT.search(text):
        yield from _identifiers(fields_of_tables(text))
        yield from _numbers(text)
    yield from (Identifier(start, end, "name") for start, end in find_names(text))


def _identifiers(fields: Iterable[Field]) -> Iterator[Identifier]:
    return (Identifier(start, end, cast("Kind", kind)) for kind, start, end in fields)


def _numbers(text: str) -> Iterator[Identifier]:
    for kind, search in _NUMBERS:
        yield from (Identifier(start, end, kind) for start, end in search(text))


# Surest first: what is labelled, then what has check digits or a shape of its own.
_NUMBERS: tuple[tuple[Kind, Callable[[str], Iterator[tuple[int, int]]]], ...] = (
    ("cpf", labelled_cpfs),
    ("date_of_birth", labelled_births),
    ("record_number", labelled_records),
    ("phone", labelled_phones),
    ("cpf", checked_cpfs),
    ("record_number", shaped_records),
    ("phone", shaped_phones),
)
