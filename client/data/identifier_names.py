"""Finds people's names in clinical text by what stands beside them: a title, a label, or the word "patient".

Nothing here knows a list of names: such lists miss most of the world, and half of any list is also a word. A name is
what follows a title or label, looks like a name, and is none of the clinical and everyday words of `names.toml`,
since "DR Moderate", "MR -2.00" and "Patient: Hypertensive" look just like "DR Silva". Every step is bounded, so that
no text takes more than linear time.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files

MOST_WORDS = 7

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f])"
_WORD = re.compile(rf"{_LETTER}++(?:['’\-]{_LETTER}++)*+")
_GAP = re.compile(r"[ \t\u00a0]{1,3}")
_WORDS = tomllib.loads(files("client.data").joinpath("names.toml").read_text(encoding="utf-8"))
_PARTICLES, _TITLES, _ALSO_NAMES, _NOT_NAMES = (
    frozenset(_WORDS[key].split()) for key in ("particles", "titles", "also_names", "not_names")
)
_LOOKS_CLINICAL = re.compile(
    r".{3,}(?:tion|sion|ity|ous|ive|ing|ally|ment|ical|itis|osis|pathy|emia|opia|oma|oes|cao|sao|dade|ivas?|ivos?|mente|"
    r"icos?|icas?|patia|ose|ite|ados|adas|idos|idas)$"
)

_TITLE = re.compile(
    r"(?<![\w/])(?P<title>dra?s?|doctor|doutora?|profa?|professora?|mrs?|ms|miss|mister|sra?|srta|senhora?|dona|enfa?|"
    r"nurse)(?:\(a\)|ª)?(?P<dot>\.)?(?:ª)?(?P<gap>[ \t\u00a0]{0,3})(?=\w)",
    re.IGNORECASE,
)
_AMBIGUOUS = frozenset(
    {"DR", "MR", "SR", "MS", "ENF", "PROF"}
)  # also retinopathy, refraction, subretinal, sclerosis
_BY = re.compile(r"\b(?:by|pel[oa]|from|para [oa])\s{1,2}$", re.IGNORECASE)
_MIXED_ONLY = frozenset(
    {"doctor", "doutor", "doutora", "nurse", "miss", "mister", "professor", "professora", "dona"}
)

_WHOSE = (
    r"(?:(?:patient|mother|father|parent|guardian|physician|doctor|surgeon|examiner|spouse)(?:['’]?s)?|full|first|last|"
    r"middle|given|family|maiden|pt\.?)"
)
_DE_QUEM = (
    r"(?:completo|social|civil|(?:d[oa]s?|de)[ \t](?:pac(?:iente|\.)?|m[aã]e|pai|m[eé]dic[oa]|respons[aá]vel|"
    r"acompanhante)|d[oa]\(a\)[ \t]paciente)"
)
_NAME_LABEL = re.compile(
    rf"\b(?:{_WHOSE}[ \t]{{1,2}}name|surname|sobrenome|nome[ \t]{{1,2}}{_DE_QUEM}|(?P<plain>name|nome))"
    r"(?P<mark>[ \t]{0,3}[:=][ \t]{0,4}\n?[ \t]{0,4}|[ \t]{1,3}[-–][ \t]{1,3}|[ \t]{1,3})",
    re.IGNORECASE,
)
_THINGS = re.compile(
    r"\b(?:drug|brand|file|device|image|photo|trade|generic|medication|lens|camera|product|study|clinic|test|user)"
    r"[ \t]{1,2}$",
    re.IGNORECASE,
)
_PERSON_LABEL = re.compile(
    r"\b(?:patient|pt|pcte?|pac|paciente|mother|father|wife|husband|m[aã]e|pai|esposa|marido|filia[cç][aã]o|physician|"
    r"doctor|surgeon|examiner|attending|referring|ophthalmologist|optometrist|technician|photographer|operator|nurse|"
    r"m[eé]dic[oa](?:[ \t](?:respons[aá]vel|assistente|solicitante))?|oftalmologista|cirurgi[aã]o?|examinadora?|"
    r"respons[aá]vel|acompanhante|t[eé]cnic[oa]|contato|contact|signed|signature|assinatura|ass\.?)"
    r"[ \t]{0,2}:[ \t]{0,4}\n?[ \t]{0,4}",
    re.IGNORECASE,
)
_DONE_BY = re.compile(
    r"\b(?:signed|reported|examined|referred|dictated|reviewed|seen|photographed|graded|evaluated|performed|interpreted|"
    r"written|entered|verified|assinad[oa]|laudad[oa]|examinad[oa]|encaminhad[oa]|solicitad[oa]|avaliad[oa]|atendid[oa]|"
    r"realizad[oa]|acompanhad[oa]|revisad[oa]|digitad[oa])[ \t]{1,2}(?:by|por|pel[oa])(?P<mark>[ \t]{0,2}:)?[ \t]{1,3}",
    re.IGNORECASE,
)
_PATIENT = re.compile(r"\b(?:patient|paciente|pcte?|pt)[ \t]{1,2}(?=\w)", re.IGNORECASE)
_ENDS = re.compile(r"[ \t]{0,2}(?:[,.;()\n\d\-–]|$)|['’]s\b")
_CARRIES_ON = re.compile(r"[ \t]{1,2}[^\W\d_](?<=[^\W\d_A-Z])|[ \t]{0,2}[,(]|['’]s\b")


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every name, in no order; spans may overlap."""
    lower = text.casefold()
    for search, words in _SEARCHES.items():
        if any(word in lower for word in words):
            yield from search(text)


def _after_titles(text: str) -> Iterator[tuple[int, int]]:
    for found in _TITLE.finditer(text):
        title, start = found["title"], found.end()
        if not found["gap"] and not found["dot"]:
            continue
        ambiguous = title in _AMBIGUOUS
        short = title.lower() not in _MIXED_ONLY
        lower = short and (
            bool(found["dot"])
            or title.lower() in ("dra", "sra", "srta", "mrs", "mr")
            or bool(_BY.search(text, max(0, found.start() - 12), found.start()))
        )
        end = _name(text, start, beside_title=not ambiguous, lower=lower and not title.isupper())
        if end and not (ambiguous and _looks_clinical(text[start:end])):
            yield start, end


def _after_name_labels(text: str) -> Iterator[tuple[int, int]]:
    for found in _NAME_LABEL.finditer(text):
        labelled = bool(found["mark"].strip())
        if found["plain"] and (
            not labelled or _THINGS.search(text, max(0, found.start() - 16), found.start())
        ):
            continue
        start = found.end()
        end = _name(text, start, beside_title=True, lower=labelled, words=MOST_WORDS)
        if not end:
            continue
        comma = re.compile(r",[ \t]{0,2}").match(text, end)
        given = _name(text, comma.end()) if comma and " " not in text[start:end] else None
        yield start, given or end


def _after_person_labels(text: str) -> Iterator[tuple[int, int]]:
    for found in _PERSON_LABEL.finditer(text):
        start = found.end()
        end = _name(text, start)
        if end and (
            _several(text[start:end]) or (_ENDS.match(text, end) and not _looks_clinical(text[start:end]))
        ):
            yield start, end


def _after_done_by(text: str) -> Iterator[tuple[int, int]]:
    for found in _DONE_BY.finditer(text):
        end = _name(text, found.end())
        if end and (found["mark"] or _several(text[found.end() : end])):
            yield found.end(), end


def _after_patient(text: str) -> Iterator[tuple[int, int]]:
    for found in _PATIENT.finditer(text):
        start = found.end()
        end = _name(text, start)
        if not end:
            continue
        name = text[start:end]
        alone = not name.isupper() and not _looks_clinical(name) and _CARRIES_ON.match(text, end)
        if _several(name) or alone:
            yield start, end


def _name(
    text: str, start: int, *, beside_title: bool = False, lower: bool = False, words: int = 2
) -> int | None:
    """Where the name that begins at `start` ends, or None where none does.

    beside_title: words that are also surnames count. lower: a name all in lower case counts too, of at most
    `words` words (particles not counted), since nothing shows where it ends.
    """
    end, at, style, taken = None, start, "", 0
    for _ in range(MOST_WORDS):
        word = _WORD.match(text, at)
        if word is None:
            break
        kind = _kind(text, word, beside_title or taken > 0)
        at = word.end()
        if kind == "initial":
            at += text[at : at + 1] == "."
        elif kind in ("mixed", "upper", "lower"):
            if not _fits(kind, style, lower, taken, words):
                break
            style, taken, end = style or kind, taken + 1, at
        elif kind != "particle" or not (word.start() > start or word[0][0].isupper()):
            break
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if gap is None and text[at - 1] != ".":
            break
    return end


def _kind(text: str, word: re.Match[str], also_names: bool) -> str:
    """particle, initial, mixed, upper, lower or "" for a word that cannot be part of a name."""
    written = word[0]
    plain = bare(written)
    after = text[word.end() : word.end() + 1]
    if len(written) == 1 and written.isupper() and (after == "." or (after == " " and plain != "e")):
        return "initial"
    if plain in _PARTICLES:
        return "particle"
    if (
        len(written) == 1
        or plain in _TITLES
        or (plain in _NOT_NAMES and not (also_names and plain in _ALSO_NAMES))
    ):
        return ""
    if written.isupper():
        return "upper"
    if written.islower():
        return "lower" if len(written) > 2 else ""
    return "mixed" if written[0].isupper() else ""


def _fits(kind: str, style: str, lower: bool, taken: int, words: int) -> bool:
    if kind == "lower":
        return lower and style in ("", "lower") and taken < words
    return style in ("", kind)


def _several(name: str) -> bool:
    return len([word for word in _WORD.findall(name) if bare(word) not in _PARTICLES]) > 1


def _looks_clinical(name: str) -> bool:
    return not _several(name) and bool(_LOOKS_CLINICAL.match(bare(name)))


# Each search, and letters of which some stand in every text that it could find anything in.
_SEARCHES: Mapping[Callable[[str], Iterator[tuple[int, int]]], tuple[str, ...]] = {
    _after_titles: ("dr", "dou", "doc", "pro", "mr", "ms", "mi", "sr", "sen", "don", "enf", "nur"),
    _after_name_labels: ("name", "nome"),
    _after_person_labels: (":",),
    _after_done_by: (" by", "\tby", "por", "pel"),
    _after_patient: ("pa", "pc", "pt"),
}


def bare(word: str) -> str:
    """Lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
