"""The second unseen set of notes: which text is drawn, and where in it each identifier lies.

Written by somebody who did not know how check looks for identifiers, after it did as well as it could on the first
unseen set. No claim rests on it; it says how far the claimed figures carry to notes that nobody tuned for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulations.dirt.notes_second_en import HARMLESS_EN_SECOND, WITH_EN_SECOND
from simulations.dirt.notes_second_pt import HARMLESS_PT_SECOND, WITH_PT_SECOND
from simulations.dirt.people_second import KINDS, Fields, fields
from simulations.dirt.site import Generator

Template = tuple[str, str]  # text, language
FIELD = re.compile(r"\{(\w+)\}")
WITH = tuple((text, "English") for text in WITH_EN_SECOND) + tuple(
    (text, "Portuguese") for text in WITH_PT_SECOND
)
HARMLESS = tuple((text, "English") for text in HARMLESS_EN_SECOND) + tuple(
    (text, "Portuguese") for text in HARMLESS_PT_SECOND
)
AT_LEAST = 2 * max(len(WITH), len(HARMLESS))  # notes that use every template


@dataclass(frozen=True)
class Planted:
    """One identifier of a note: its kind, and its characters text[start:end]."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Note:
    """A note, its language, and everything in it that names somebody; nothing in a harmless one."""

    text: str
    language: str
    planted: tuple[Planted, ...] = ()


def second_notes(count: int, random: Generator) -> list[Note]:
    """So many notes, every other one with an identifier, and every template as often as any other but for one."""
    return dealt(count, WITH, HARMLESS, filled, random)


def dealt(
    count: int,
    telling: Sequence[Template],
    harmless: Sequence[Template],
    fill: Callable[[str, str, Generator], Note],
    random: Generator,
) -> list[Note]:
    """The notes of `telling` and `harmless` templates in turn, each set in an order of its own."""
    telling_order, harmless_order = random.permutation(len(telling)), random.permutation(len(harmless))
    notes = []
    for number in range(count):
        templates, order = (harmless, harmless_order) if number % 2 else (telling, telling_order)
        template, language = templates[int(order[number // 2 % len(order)])]
        notes.append(fill(template, language, random))
    return notes


def filled(template: str, language: str, random: Generator) -> Note:
    """The template with somebody's data in it, written as the rest of it is where that is all in one case."""
    values = _cased(fields(random, portuguese=language == "Portuguese"), FIELD.sub("", template))
    text, planted, at = "", [], 0
    for match in FIELD.finditer(template):
        field = match[1]
        text += template[at : match.start()]
        value = values[field] if field in KINDS else _examined(field, random)
        if field in KINDS:
            planted.append(Planted(KINDS[field], len(text), len(text) + len(value)))
        text += value
        at = match.end()
    return Note(text + template[at:], language, tuple(planted))


def _cased(values: Fields, rest: str) -> Fields:
    if rest.isupper():
        return {key: value.upper() for key, value in values.items()}
    if rest.islower():
        return {key: value.lower() for key, value in values.items()}
    return values


def _examined(field: str, random: Generator) -> str:
    """A day or a year on which somebody was seen: nobody's secret."""
    day, month, year = (int(value) for value in random.integers((1, 1, 2014), (29, 13, 2026)))
    if field == "year":
        return str(year)
    forms = (
        f"{day:02d}/{month:02d}/{year}",
        f"{day}/{month}/{year % 100:02d}",
        f"{day:02d}.{month:02d}.{year}",
    )
    return forms[int(random.integers(len(forms)))]
