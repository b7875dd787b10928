"""Says which words of a text can be a person's name, and how far a name that begins at a place goes on.

The lists of `names.toml`, `given_names.toml` and `not_names.toml` (clinical and everyday words) only tell likely from
unlikely: most names of the world are in neither, and a capitalised word of neither list can be a name
where something beside it says so. Every step is bounded, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

MOST_WORDS = 9

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f])"
WORD = re.compile(rf"{_LETTER}++(?:['’\-]{_LETTER}++)*+")
_POSSESSIVE = re.compile(r"['’]s$")
_GAP = re.compile(r"[ \t\u00a0]{1,3}")
_LOOKS_CLINICAL = re.compile(
    r".{3,}(?:tion|sion|ity|ous|ive|ing|ally|ment|ical|itis|osis|pathy|emia|opia|oma|oes|cao|sao|dade|ivas?|ivos?|"
    r"mente|"
    r"icos?|icas?|patia|ose|ite|ados|adas|idos|idas|scopy|scopia|graphy|grafia|metry|metria|plasty|plastia|tomy|"
    r"tomia|"
    r"ectomy|genic|genico|trophy|trofia|plasia|algia|uria|phobia|fobia|lysis|itic|otic|ular|idal|erly|tely|ness|"
    r"inal|mycin|cillin|olol|(?<!a)pril|sartan|statin|mab|cept|prost|zolamide|caine|idine|azole|olone|formin|"
    r"gliptin|gliflozin|xaban|eral|onal)$"
)


@lru_cache(maxsize=1 << 15)
def bare(word: str) -> str:
    """Lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def _read(name: str) -> dict[str, str]:
    return tomllib.loads(files("client.data").joinpath(name).read_text(encoding="utf-8"))


# How names are made: O'Leary, McAllister, Andersson, Kowalczyk, Nakagawa, Okonjo; Edilson, Rosilene, Arivaldo.
_SURNAME_SHAPE = re.compile(
    r"(?:o['’]|d['’]|sant['’]|mc|fitz|okon|nwa|chukwu|olu|oye|al-|el-|abd[ue]l)[a-z\-]{3,}$"
    r"|[a-z\-]{2,}(?:sson|[nrlmz]ez|[qg]uez|escu|ovi[ct]h?|enko|czyk|[wnz]ski|opoulos|stein|berg|mann|"
    r"[gk]awa|moto|mura|yama|guchi|hashi|sworth|ington|ingham|bottom)$"
)
_GIVEN_SHAPE = re.compile(
    r"[a-z]{2,}(?:ilson|elson|ilton|elton|ilene|ineide|ildo|ilde|zinha|sinha|ivaldo|inaldo|valdo|leide|vania)$"
)


_NAMES, _OTHERS = _read("names.toml") | _read("given_names.toml"), _read("not_names.toml")
PARTICLES, _TITLES, _SUFFIXES, GIVEN, GIVEN_WORDS, GIVEN_CLINICAL, SURNAMES = (
    frozenset(_NAMES[key].split())
    for key in ("particles", "titles", "suffixes", "given", "given_words", "given_clinical", "surnames")
)
PHRASES = frozenset(_NAMES["phrases"].strip().splitlines())
_EPONYMS = frozenset(_OTHERS["eponyms"].split())
_NOT_NAMES = frozenset(word for words in _OTHERS.values() for word in words.split())
_ALSO_NAMES = frozenset(_NAMES["also_names"].split()) | GIVEN | SURNAMES | GIVEN_WORDS | GIVEN_CLINICAL


@dataclass(frozen=True)
class Name:
    """text[start:end] can be a name."""

    start: int
    end: int
    words: tuple[str, ...]  # bare, without particles and initials
    upper: bool  # all in capitals
    initials: int = 0  # how many stand before the last word

    @property
    def several(self) -> bool:
        """Two words or more, particles and initials not counted."""
        return len(self.words) > 1

    @property
    def known(self) -> bool:
        """Some word is a frequent given name or surname that hardly means anything else."""
        return any(is_given(word) or is_surname(word) for word in self.words)

    @property
    def looks_clinical(self) -> bool:
        """A single word that ends as clinical words do."""
        return not self.several and looks_clinical(self.words[0])


def read_name(
    text: str,
    start: int,
    *,
    beside_title: bool = False,
    lower: bool = False,
    words: int = 2,
    strict: bool = False,
    particles: bool = False,
) -> Name | None:
    """The name that begins at `start`, or None where none does.

    beside_title: words that are also surnames count. lower: a name all in lower case counts too, of at most
    `words` words (particles not counted), since nothing shows where it ends. strict: a word that sounds clinical
    ends it, unless it is a frequent name. particles: one in lower case can begin it ("da Cunha").
    """
    end, at, style, taken, initials = start, start, "", list[str](), 0
    for _ in range(MOST_WORDS):
        word = WORD.match(text, at)
        if word is None:
            break
        written = _POSSESSIVE.sub("", word[0])
        kind, plain = _kind(text, word, written, beside_title or bool(taken), bool(taken)), bare(written)
        at = word.start() + len(written)
        if kind == "initial":
            at += text[at : at + 1] == "."
            initials += 1
        elif kind == "suffix" and end == _before_gap(text, word.start()):
            at += plain in ("jr", "sr") and text[at : at + 1] == "."
            end = at
        elif kind in ("mixed", "upper", "lower"):
            if not _fits(kind, style, plain, lower, len(taken) < words) or (strict and _unlikely(plain)):
                break
            style, end = style or kind, at
            taken.append(plain)
        elif kind != "particle" or not (particles or word.start() > start or word[0][0].isupper()):
            break
        at += plain == "st" and text[at : at + 1] == "."  # "St. Clair"
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if gap is None and text[at - 1] != ".":
            break
    return Name(start, end, tuple(taken), style == "upper", initials) if taken else None


def shorter_and_shorter(text: str, start: int) -> Iterator[Name]:
    """The names in lower case of four words and fewer that begin at `start`, the longest first."""
    words = 4
    while words:
        name = read_name(text, start, beside_title=True, lower=True, words=words, strict=True)
        if name is None:
            return
        yield name
        words = len(name.words) - 1


def can_be_given(plain: str) -> bool:
    """Whether a bare word in lower case can begin a name that nothing announces."""
    return plain in GIVEN or (plain in GIVEN_WORDS and is_no_word(plain))


@lru_cache(maxsize=1 << 15)
def is_given(word: str) -> bool:
    """Whether a bare word is a frequent given name, two of them with a hyphen, or made as one."""
    if word in GIVEN or (word not in _NOT_NAMES and _GIVEN_SHAPE.match(word)):
        return True
    parts = word.split("-")
    return len(parts) > 1 and all(part in GIVEN or part in GIVEN_WORDS for part in parts)


@lru_cache(maxsize=1 << 15)
def is_surname(word: str) -> bool:
    """Whether a bare word is a frequent surname, one of two with a hyphen, or made as one."""
    if word in SURNAMES or (word not in _NOT_NAMES and _SURNAME_SHAPE.match(word)):
        return True
    return any(part in SURNAMES for part in word.split("-")) and "-" in word and word not in _NOT_NAMES


def looks_clinical(word: str) -> bool:
    """Whether a bare word ends as clinical words do."""
    return bool(_LOOKS_CLINICAL.match(word))


def can_begin(written: str, after: str) -> bool:
    """Whether a word can be the first of a name that nothing announces; `after` is the character that follows it."""
    if len(written) == 1:
        return written.isupper() and after == "."
    return written[0].isupper() and _class(_POSSESSIVE.sub("", written)) in ("name", "also")


def is_no_word(plain: str) -> bool:
    """Whether a bare word is neither a clinical nor an everyday one, or a frequent given name nevertheless."""
    return (
        plain not in _NOT_NAMES or plain in GIVEN_CLINICAL or (plain in GIVEN_WORDS and plain not in _EPONYMS)
    )


def _before_gap(text: str, at: int) -> int:
    while at and text[at - 1] in " \t\u00a0":
        at -= 1
    return at


def _unlikely(plain: str) -> bool:
    return (
        looks_clinical(plain) and plain not in _ALSO_NAMES and not is_given(plain) and not is_surname(plain)
    )


@lru_cache(maxsize=1 << 15)
def _class(word: str) -> str:
    """particle, title, suffix, also, not or name, for the word whatever stands around it."""
    plain = bare(word)
    if plain in PARTICLES:
        return "particle"
    if plain in _TITLES:
        return "suffix or title" if plain in _SUFFIXES else "title"
    if plain in _SUFFIXES:
        return "suffix"
    if plain in _NOT_NAMES:
        return "also" if plain in _ALSO_NAMES else "not"
    parts = plain.split("-")
    if len(parts) > 1 and any(part in _EPONYMS or part in _NOT_NAMES for part in parts):
        return "also" if all(part in _ALSO_NAMES or part not in _NOT_NAMES for part in parts) else "not"
    return "name"


def _kind(text: str, word: re.Match[str], written: str, also_names: bool, begun: bool) -> str:
    """particle, initial, suffix, mixed, upper, lower or "" for a word that cannot be part of a name."""
    after = text[word.end() : word.end() + 1]
    if len(written) == 1:
        single = written.isupper() and (after == "." or (after == " " and bare(written) != "e"))
        return "initial" if single else ("particle" if bare(written) in PARTICLES else "")
    kind = _class(written)
    if kind == "particle":
        return kind
    if begun and written[0].isupper() and "suffix" in kind:
        return "suffix"
    return _style(written) if kind == "name" or (kind == "also" and also_names) else ""


def _style(written: str) -> str:
    if written.isupper():
        return "upper"
    if written.islower():
        return "lower" if len(written) > 2 else ""
    return "mixed" if written[0].isupper() else ""


def _fits(kind: str, style: str, plain: str, lower: bool, room: bool) -> bool:
    if kind == "lower":
        return lower and style in ("", "lower") and room
    return style in ("", kind) or (
        style != "lower" and (is_given(plain) or is_surname(plain))
    )  # "John SMITH", "SMITH John"
