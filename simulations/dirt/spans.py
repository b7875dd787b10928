"""Marks the search for identifiers one identifier at a time, by kind, where the truth knows their places.

An identifier is found where nothing of it would be left to read, whatever kind the search took it for: what matters
is that it does not get out. A false alarm is a place that the search named and that touches no identifier.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from simulations.dirt.score import KindScore
from simulations.dirt.truth import Truth

Place = tuple[str, int, int]  # kind of identifier, from and up to which character
Search = Callable[[str], Sequence[Place]]

# Bare names are found or not; what is wrongly taken for a name cannot be told apart, and counts among the names.
KINDS = ("name", "bare_name", "date_of_birth", "phone", "email", "cpf", "record_number")
WORD = re.compile(r"[^\W\d_]{4,}")
# A label or title may be masked with what it announces; any other word is lost to the model.
MAY_GO = {
    "birth", "birthdate", "born", "case", "contact", "contato", "date", "data", "dona", "email", "file",
    "forename", "hosp", "hospital", "matrícula", "mail", "miss", "mobile", "name", "nasc", "nascida",
    "nascido", "nascimento", "nome", "notes", "nurse", "ficha", "fone", "paciente", "patient", "patietn",
    "pacinte", "phone", "prenome", "processo", "prof", "profª", "prontuário", "pront", "cartão",
    "clínico", "record", "recados", "revd", "seu", "senhor", "sister", "sobrenome", "surname", "telefone",
    "telemóvel", "telephone", "titular", "unit", "number", "eletrônico", "pcte", "home", "work",
}  # fmt: skip


def marks_by_kind(
    truth: Truth,
    notes: Mapping[str, str],
    search: Search,
    ending: str,
    *,
    labels: frozenset[str] = frozenset(),
) -> list[KindScore]:
    """A line for each of KINDS, and one for the notes that keep every other word.

    notes: record -> text that the truth's spans are of. search: the places of a text that are named. ending: of the
    truth's kinds of identifiers and of the lines' names. labels: words that may go besides MAY_GO, in lower case.
    """
    said = {record: list(search(note)) for record, note in notes.items()}
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for kind in KINDS:
        for item in truth.of(kind + ending):
            spans[item.records[0]].append((item.span[0], item.span[1]))
    false: dict[str, list[str]] = defaultdict(list)
    for record, places in said.items():
        for kind, start, end in places:
            if not any(start < b and a < end for a, b in spans[record]):
                false[kind].append(f"{record} ({notes[record][start:end]!r})")
    lines = [_line(kind + ending, truth, notes, said, false[kind]) for kind in KINDS]
    return [*lines, _kept("clinical_words" + ending, notes, said, spans, MAY_GO | labels)]


def _line(
    kind: str,
    truth: Truth,
    notes: Mapping[str, str],
    said: Mapping[str, Iterable[Place]],
    false: Sequence[str],
) -> KindScore:
    items = truth.of(kind)
    missed = []
    for item in items:
        record, (start, end) = item.records[0], item.span
        masked = {at for _, a, b in said[record] for at in range(a, b)}
        if any(notes[record][at].isalnum() and at not in masked for at in range(start, end)):
            missed.append(f"{record} ({item.sort}, {item.text[0]!r})")
    return KindScore(kind, len(items), len(items) - len(missed), tuple(missed), tuple(false), 0)


def _kept(
    kind: str,
    notes: Mapping[str, str],
    said: Mapping[str, Iterable[Place]],
    spans: Mapping[str, Sequence[tuple[int, int]]],
    may_go: Set[str],
) -> KindScore:
    """Of the notes with identifiers: those that lose no clinical word to the mask of one."""
    named = sorted(record for record, places in spans.items() if places)
    missed = []
    for record in named:
        note = notes[record]
        hidden = {at for _, a, b in said[record] for at in range(a, b)}
        lost = [
            word[0]
            for word in WORD.finditer(note)
            if hidden.intersection(range(*word.span()))
            and not any(word.start() < b and a < word.end() for a, b in spans[record])
            and word[0].lower() not in may_go
        ]
        if lost:
            missed.append(f"{record} ({' '.join(lost)})")
    return KindScore(kind, len(named), len(named) - len(missed), tuple(missed), (), 0)
