"""The third unseen set of notes: which text is drawn, and where in it each identifier lies.

Written, and committed before its result was seen, by somebody who had read neither the search for identifiers nor the
notes it was written with. No claim rests on it; a name of anybody counts, the patient's, a relative's or a doctor's,
and of dates only those of birth.
"""

from __future__ import annotations

import re
import unicodedata

from simulations.dirt.notes_second import Note, Planted, dealt
from simulations.dirt.notes_third_en import HARMLESS_EN_THIRD, WITH_EN_THIRD
from simulations.dirt.notes_third_pt import HARMLESS_PT_THIRD, WITH_PT_THIRD
from simulations.dirt.numbers_third import seen
from simulations.dirt.people_third import KINDS, Fields, fields
from simulations.dirt.site import Generator

FIELD = re.compile(r"\{(\w+)\}")
WITH = tuple((text, "English") for text in WITH_EN_THIRD) + tuple(
    (text, "Portuguese") for text in WITH_PT_THIRD
)
HARMLESS = tuple((text, "English") for text in HARMLESS_EN_THIRD) + tuple(
    (text, "Portuguese") for text in HARMLESS_PT_THIRD
)
AT_LEAST = 2 * max(len(WITH), len(HARMLESS))  # notes that use every template

# Labels and relations of these templates that may be masked with what they announce, besides spans.MAY_GO.
LABELS = frozenset({
    "acct", "auxiliar", "beneficiário", "birthday", "carteira", "cell", "celular", "chart", "child", "cirurgião",
    "completo", "consul", "consultant", "contatos", "daughter", "dependente", "details", "doctor", "eletronicamente",
    "assinado", "filha", "filho", "forename", "grandson", "guardian", "husband", "infant", "instrumentadora",
    "insured", "landline", "member", "mother", "nascto", "neighbour", "parent", "partner", "photographer", "policy",
    "preceptor", "professor", "registered", "residente", "signed", "sister", "sobrinha", "subscriber", "tech",
    "whats", "whatsapp", "matr", "same", "rghc", "antigo", "novo", "conferida", "atendi", "mento", "nascida",
    "aos", "prezada", "dear", "worker", "support", "birth",
})  # fmt: skip


def third_notes(count: int, random: Generator) -> list[Note]:
    """So many notes, every other one with an identifier, and every template as often as any other but for one."""
    return dealt(count, WITH, HARMLESS, filled, random)


def filled(template: str, language: str, random: Generator) -> Note:
    """The template with three people's data in it, in its own case, and without accents where it has none."""
    portuguese = language == "Portuguese"
    values = _as_written(fields(random, portuguese=portuguese), FIELD.sub("", template))
    text, planted, at = "", [], 0
    for match in FIELD.finditer(template):
        field = match[1]
        text += template[at : match.start()]
        value = values[field] if field in KINDS else _examined(field, random, portuguese)
        if field in KINDS:
            planted.append(Planted(KINDS[field], len(text), len(text) + len(value)))
        text += value
        at = match.end()
    return Note(text + template[at:], language, tuple(planted))


def _as_written(values: Fields, rest: str) -> Fields:
    if not (rest.isupper() or rest.islower()):
        return values
    cased = {key: value.upper() if rest.isupper() else value.lower() for key, value in values.items()}
    return {key: _plain(value) for key, value in cased.items()} if rest.isascii() else cased


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _examined(field: str, random: Generator, portuguese: bool) -> str:
    return str(int(random.integers(2016, 2022))) if field == "yr" else seen(random, portuguese)
