"""Finds and masks what could name a patient in free text, English and Portuguese, before anything reads the text.

Names, dates of birth, telephone numbers, e-mail addresses, CPF, and record, RG and SUS card numbers. Clinical text is
full of look-alikes ("20/40", "+2.00 -1.25 x 180", "DR grade 2", dates of examination), so a number counts only by its
label or by a shape that nothing clinical has. This lowers a risk and does not end it: a rare name that stands alone is
not found. Every pattern is bounded or possessive, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from client.data.identifier_names import find_names

Kind = Literal["name", "date_of_birth", "phone", "email", "cpf", "record_number"]
KINDS: tuple[Kind, ...] = ("name", "date_of_birth", "phone", "email", "cpf", "record_number")


@dataclass(frozen=True, order=True)
class Identifier:
    """text[start:end] is an identifier of this kind."""

    start: int
    end: int
    kind: Kind


_NO = r"(?:n(?:[ºo°]|um(?:ber|ero)?|úm(?:ero)?|r)?\.?|number|número|#)"
_AFTER = (  # what stands between a label and its value
    rf"[ \t]{{0,3}}(?:{_NO}[ \t]{{0,2}})?[:=#\-–]?[ \t]{{0,4}}(?:\n[ \t]{{0,4}})?"
    rf"(?:{_NO}[ \t]{{0,2}}[:=]?[ \t]{{0,2}})?"
)

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}+@[\w-]{1,63}+(?:\.[\w-]{1,63}+){1,6}")

_CPF = re.compile(
    rf"\bC\.?P\.?F\.?{_AFTER}(?P<labelled>\d{{3}}[. ]?\d{{3}}[. ]?\d{{3}}[-–/ .]?\d{{2}})(?!\d)"
    r"|(?<![\d.])(?P<written>\d{3}\.\d{3}\.\d{3}[-–/]\d{2})(?!\d)"
    r"|(?<![\d.,/+-])(?P<bare>\d{11})(?![\d/-])(?![.,]\d)",
    re.IGNORECASE,
)

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|fev|abr|mai|ago|set|out|dez)[^\W\d_]{0,7}\.?"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[ ]?[-/.][ ]?\d{1,2}[ ]?[-/.][ ]?(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|º)?[ \-/.]{{1,2}}(?:de[ ]|of[ ])?{_MONTH}[ ,\-/.]{{1,2}}(?:de[ ])?(?:\d{{4}}|\d{{2}})"
    rf"|{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}}|\d{{8}})(?!\d)"
)
_BORN = (
    r"(?:d\.?[ ]?o\.?[ ]?b\.?|d\.[ ]?n\.|dn|d\.?d\.?n\.?|(?:date|data|dt\.?)[ ](?:of[ ]birth|de[ ]nasc[^\W\d_]{0,8}\.?|"
    r"nasc[^\W\d_]{0,8}\.?|d[eo][ ]nasc[^\W\d_]{0,8}\.?)|birth[ ]?da(?:te|y)|birth|born|nascimento|nasc\.?|nascid[oa]|"
    r"dtnasc|b\.)"
)
_BIRTH = re.compile(
    rf"\b{_BORN}(?:[ \t]{{1,2}}(?:on|in|em|no[ ]dia|at|is|was|é|foi|:)){{0,2}}[ \t]{{0,3}}[:=\-–(]?[ \t]{{0,4}}"
    rf"(?:\n[ \t]{{0,4}})?(?P<after>{_DATE})"
    rf"|(?<![\d/.-])(?P<before>{_DATE})[ \t]{{0,2}}[(\[][ \t]?{_BORN}[ \t]?[)\]]",
    re.IGNORECASE,
)

_BORN_WORDS = (
    "birth",
    "born",
    "nasc",
    "ob",
    "o.b",
    "o. b",
    "dn",
    "d.n",
    "d. n",
    "b.",
)  # one of them is in every label

_RECORD_LABEL = (
    r"(?:(?P<sure>m\.?r\.?n\.?|(?:medical|hospital|health|patient|clinic(?:al)?|unit|case|file|chart|record|accession|"
    r"hosp\.?)[ ](?:record[ ])?(?:no\b\.?|nr\.?|num(?:ber)?\b\.?|id\b|ident(?:ifier|ification)\b|#)|"
    r"medical[ ]record|patient[ ]id(?:entifier)?|nhs(?:[ ](?:no\b\.?|number))?|pront(?:u[áa]rio|\.)?|rghc|"
    r"matr[íi]cula|(?:n[ºo°]|n[úu]mero)\.?[ ](?:do[ ]|de[ ])?(?:prontu[áa]rio|registro|atendimento)|"
    r"reg(?:istro)?\.?[ ](?:geral|hospitalar|m[ée]dico)|r\.g\.)"
    r"|(?P<weak>registro|atendimento|registry|registration|reg\.|r\.?g\.?|ident(?:idade|ity)|id|crm(?:[-/ ][a-z]{2})?)"
    r"|(?P<card>(?:cart[ãa]o[ ](?:d[oe][ ])?(?:sus|nacional[ ]de[ ]sa[úu]de)|cns|c\.n\.s\.|sus(?:[ ]card)?)))"
)
_RECORD_NUMBER = (
    r"(?P<number>(?:[A-Z]{1,4}[-/ ]?)?\d(?:[\d]|[./-](?=\d)|[ ](?=\d{3}(?!\d)(?![.,/]\d))"
    r"|[ ](?=\d{4}(?:[ ]\d{4}){0,3}+(?!\d)(?![.,/]\d)))*+"
    r"(?:[-/ ]?[A-Z](?![^\W_]))?)(?![^\W_])"
)
_RECORD = re.compile(rf"(?<![\w/]){_RECORD_LABEL}(?<![ ]){_AFTER}{_RECORD_NUMBER}", re.IGNORECASE)
_RG = re.compile(r"(?<![\d.])\d{1,2}\.\d{3}\.\d{3}-[\dXx](?![\w])")
_CARD = re.compile(r"(?<![\d.,])[12789]\d{2}[ ]?\d{4}[ ]?\d{4}[ ]?\d{4}(?!\d)")
_LOOKS_LIKE_DATE = re.compile(rf"{_DATE}$|(?:19|20)\d\d$", re.IGNORECASE)
_NOT_OF_A_PATIENT = re.compile(
    r"\b(?:image|photo|device|camera|lens|lot|serial|study|trial|software|batch|iol|foto|imagem|lote|aparelho)"
    r"[ \t]{1,2}$",
    re.IGNORECASE,
)

_PHONE_SHAPES = (
    r"\+\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]\d{2,8}){1,5}(?!\d)",  # international
    r"\+\d{10,15}(?!\d)",
    r"(?:0055[ -]?|55[ -])?\(0?\d{2}\)[ .-]{0,2}9?[ .]?\d{4}[ .-]{0,1}\d{4}(?!\d)",  # (11) 98765-4321
    r"(?:55[ -])?0?[1-9]\d[ .-]{1,2}9?[ .]?\d{4}-\d{4}(?!\d)",  # 11 98765-4321
    r"[1-9]{2}[ ]9\d{4}[ ]?\d{4}(?!\d)",
    r"(?:1[ .-])?\(\d{3}\)[ .-]{0,2}\d{3}[ .-]\d{4}(?!\d)",  # (555) 123-4567
    r"(?:1[-.])?\d{3}-\d{3}-\d{4}(?!\d)|(?:1\.)?\d{3}\.\d{3}\.\d{4}(?!\d)",
    r"0[38]00[ -]?\d{3}[ -]?\d{3,4}(?!\d)",
    r"0\d{2,4}[ ]\d{3,4}[ ]\d{3,4}(?!\d)|07\d{3}[ ]?\d{6}(?!\d)|\(0\d{2,4}\)[ ]?\d{3,4}[ ]?\d{3,4}(?!\d)",
    r"9\d{4}-\d{4}(?!\d)",
    r"[1-9]{2}9\d{8}(?!\d)",  # 11 digits in a row: area code and a mobile's leading 9
)
_LABELLED_SHAPES = (
    *_PHONE_SHAPES,
    r"0?\d{2}[ .-]{1,2}9?\d{4}[ .-]?\d{4}(?!\d)",
    r"\d{3,5}[ .-]\d{4}(?!\d)",
    r"\d{2,3}[ .-]\d{3,4}[ .-]\d{3,5}(?!\d)",
    r"\d{7,14}(?!\d)",
)
_PHONE = re.compile(rf"(?<![\w.,/+-])(?:{'|'.join(_PHONE_SHAPES)})(?![.,/]\d)")
_LABELLED_PHONE = re.compile(
    r"(?<!\w)(?:tel(?:efone|ephone|s)?|phone|fone|fax|cel(?:ular)?|cell(?:phone)?|mobile|mob|whats(?:app)?|zap|wpp|contat?[oc]t?|"
    r"call|ligar|ph|recado)\b\.?(?:[ ](?:number|no\b|num|para|celular|residencial|comercial|phone)\.?)?"
    rf"[ \t]{{0,3}}(?:n[ºo°]\.?)?[:=#\-–]?[ \t]{{0,4}}(?:\n[ \t]{{0,4}})?(?P<number>{'|'.join(_LABELLED_SHAPES)})",
    re.IGNORECASE,
)
_ANY_DIGIT = re.compile(r"\d")


def find(text: str) -> list[Identifier]:
    """The identifiers of a text in order, none overlapping another; where two claim a place the surer one has it."""
    found: list[Identifier] = []
    taken = bytearray(len(text))
    for candidate in _candidates(text):
        if candidate.end > candidate.start and not any(taken[candidate.start : candidate.end]):
            taken[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            found.append(candidate)
    return sorted(found)


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
        yield from _numbers(text)
    yield from (Identifier(start, end, "name") for start, end in find_names(text))


def _numbers(text: str) -> Iterator[Identifier]:
    cpfs = list(_CPF.finditer(text))
    yield from (Identifier(*_span(m), "cpf") for m in cpfs if not m["bare"])
    if any(word in text.casefold() for word in _BORN_WORDS):
        yield from (Identifier(*_span(m), "date_of_birth") for m in _BIRTH.finditer(text))
    yield from (
        Identifier(*m.span("number"), "record_number") for m in _RECORD.finditer(text) if _is_record(text, m)
    )
    yield from (Identifier(*m.span("number"), "phone") for m in _LABELLED_PHONE.finditer(text))
    yield from (Identifier(*m.span("bare"), "cpf") for m in cpfs if m["bare"] and is_cpf(m["bare"]))
    yield from (Identifier(*m.span(), "record_number") for m in _RG.finditer(text))
    yield from (Identifier(*m.span(), "record_number") for m in _CARD.finditer(text) if is_health_card(m[0]))
    yield from (Identifier(*m.span(), "phone") for m in _PHONE.finditer(text) if _is_phone(m[0]))


def _span(match: re.Match[str]) -> tuple[int, int]:
    """The span of the one named group that took part."""
    return match.span(match.lastgroup or 0)


def _is_record(text: str, match: re.Match[str]) -> bool:
    number: str = match["number"]
    digits = sum(c.isdigit() for c in number)
    if _LOOKS_LIKE_DATE.match(number) and not (match["sure"] and number.isdigit() and digits != 4):
        return False
    if match["card"]:
        return digits >= 11
    if match["sure"]:
        return digits >= 3
    return (
        digits >= 4
        and "/" not in number
        and not _NOT_OF_A_PATIENT.search(text, max(0, match.start() - 14), match.start())
    )


def _is_phone(number: str) -> bool:
    return not number.startswith("+") or sum(c.isdigit() for c in number) >= 10


def is_cpf(digits: str) -> bool:
    """Whether eleven digits carry the two check digits of a CPF."""
    values = [int(c) for c in digits if c.isdigit()]
    if len(values) != 11 or len(set(values)) == 1:
        return False
    for length in (9, 10):
        rest = sum(v * (length + 1 - i) for i, v in enumerate(values[:length])) * 10 % 11 % 10
        if rest != values[length]:
            return False
    return True


def is_health_card(number: str) -> bool:
    """Whether fifteen digits carry the check of Brazil's national health card (CNS)."""
    values = [int(c) for c in number if c.isdigit()]
    return len(values) == 15 and sum(v * (15 - i) for i, v in enumerate(values)) % 11 == 0
