"""Finds what stands in the fields of rows: under a header that names the column, or beside a name or record number.

"SMITH, John | 123456 | 01/02/1950", "DA SILVA, MARIA  40-85-31", "Nome;Nasc;Prontuário" with rows below. A number
beside a name counts by its length, a date beside one where nobody can have been photographed on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from client.data.identifier_births import DATE, Span, can_be_a_visit
from client.data.identifier_records import MEASURED, is_date, stands_alone
from client.data.identifier_words import MOST_WORDS, read_name

Field = tuple[str, int, int]  # kind, start, end

_BAR = r"(?:[ \t]{0,3}[|;\t][ \t]{0,3}|[ ]{2,6}|[ ][-–/•·][ ]|,[ ]|[ ]\()"
_DATE = rf"(?P<date>{DATE}|\d\d[ ]\d\d[ ](?:\d{{4}}|\d\d)(?!\d))"
_NUMBER = r"(?P<number>(?:[A-Z]{1,3}[-/ ]?)?\d[\d./-]{2,14}\d(?:[-/ ]?[A-Z])?(?![\w/]))"
_AFTER = re.compile(
    rf"(?P<bar>{_BAR})(?:{_DATE}|{_NUMBER})(?=[ \t]{{0,3}}(?:[|;\t\n),•·]|[ ][ \-–/]|$))", re.IGNORECASE
)
_BEFORE = re.compile(
    rf"(?:^|[\n|;\t]|[ ]{{2}})[ \t]{{0,3}}{_NUMBER}(?:[ \t]{{0,3}}[|;\t][ \t]{{0,3}}|[ ]{{2,6}}|[ ][-–/][ ])$"
)
_LOOSE = re.compile(r",|[ ][-–/•·]")  # also stand between things of no row

_HEADS = {
    "name": r"(?:full|patient(?:['’]?s)?|family|first|last|given)? ?names?|surname|forenames?(?:\(s\))?|"
    r"nome(?: completo| social| d[eoa] paciente| da m[ãa]e)?|sobrenome|prenome|pa(?:ciente|tient|c\.?)|m[ãa]e|"
    r"benefici[áa]rio|titular",
    "date_of_birth": r"d\.?o\.?b\.?|(?:date of )?birth(?: ?date|day)?|born|d\.?n\.?|"
    r"(?:dt\.?|data)? ?(?:de )?nasc\w{0,10}\.?",
    "record_number": r"m\.?r\.?n\.?|(?:hosp(?:ital)?|nhs|unit|chart|case|file|record|patient|pt|acct|account|member|"
    r"policy)\.? ?(?:no|nos|number|num|id|#|n[ºo°])?\.?|prontu[áa]rio|pront\.?|reg(?:istro)?\.?|matr(?:[íi]cula)?\.?|"
    r"rghc|same|id|ficha|cns|cart[ãa]o sus|sus|carteir(?:a|inha)|rg|n[ºo°]\.?(?: d[oe] prontu[áa]rio)?|atendimento|"
    r"urn|uhid",
    "phone": r"tel(?:efone|ephone)?\.?|phone|cel(?:ular)?\.?|fone|mobile|contat[oc]t?o?s?|whats(?:app)?",
    "cpf": r"c\.?p\.?f\.?",
}
_HEAD = re.compile("|".join(rf"(?P<{kind}>{words})" for kind, words in _HEADS.items()), re.IGNORECASE)
_SPLITS = tuple(re.compile(bar) for bar in (r"\|", r"\t", r";", r"[ ]{2,}"))
_VALUES = {
    "date_of_birth": re.compile(rf"{DATE}|\d\d[ ]\d\d[ ]\d{{2,4}}", re.IGNORECASE),
    "record_number": re.compile(r"[A-Z]{0,4}[-/ ]?\d[\d ./-]{1,20}[A-Z]?", re.IGNORECASE),
    "phone": re.compile(r"[+(]{0,2}\d[\d ()./-]{6,20}"),
    "cpf": re.compile(r"\d[\d .-]{9,16}\d"),
}


def fields_of_tables(text: str) -> Iterator[Field]:
    """What stands below the header of a table, by what its column is called."""
    columns: list[str] = []
    split, at = _SPLITS[0], 0
    for line in text.split("\n") if "\n" in text else ():
        header = _header(line)
        if header:
            split, columns = header
        elif columns:
            cells = _cells(line, split)
            if len(cells) != len(columns):
                columns = columns if set(line) <= set("|-+=: \t\r") and line.strip() else []
            else:
                yield from (
                    (kind, at + start, at + end)
                    for kind, (start, end) in zip(columns, cells, strict=True)
                    if kind and _is_value(kind, line, start, end)
                )
        at += len(line) + 1


def _header(line: str) -> tuple[re.Pattern[str], list[str]] | None:
    """How the header of a table splits, and the kind of each of its columns, "" where it names no identifier."""
    if len(line) > 400 or any(c.isdigit() for c in line):
        return None
    for split in _SPLITS:
        cells = _cells(line, split)
        if len(cells) > 1:
            kinds = [_column(line[start:end]) for start, end in cells]
            enough = sum(map(bool, kinds)) >= (2 if split is _SPLITS[-1] else 1)
            return (split, kinds) if enough and all(end - start < 31 for start, end in cells) else None
    return None


def _column(head: str) -> str:
    found = _HEAD.fullmatch(head.rstrip(" :"))
    return found.lastgroup or "" if found else ""


def _cells(line: str, split: re.Pattern[str]) -> list[Span]:
    """Start and end of every cell of a line, without the spaces around it."""
    edges = [0, *(edge for found in split.finditer(line) for edge in found.span()), len(line)]
    cells = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        left = len(line[start:end]) - len(line[start:end].lstrip())
        cells.append((start + left, max(start + left, start + len(line[start:end].rstrip()))))
    return cells


def _is_value(kind: str, line: str, start: int, end: int) -> bool:
    if kind == "name":
        name = read_name(line, start, beside_title=True, lower=True, words=MOST_WORDS)
        return bool(name and (name.end == end or line[name.end] in ",(."))
    return end - start < 31 and bool(_VALUES[kind].fullmatch(line, start, end))


def fields_beside(text: str, known: Iterable[Span]) -> Iterator[Field]:
    """Record numbers and dates of birth in the fields next to names and numbers.

    known: the names and record numbers found so far.
    """
    for start, end in known:
        before = _BEFORE.search(text, max(0, start - 28), start)
        if before and _is_number(text, before.span("number"), loose=False):
            yield "record_number", *before.span("number")
        yield from _fields_after(text, end)


def _fields_after(text: str, at: int) -> Iterator[Field]:
    for _ in range(3):
        after = _AFTER.match(text, at)
        field = _field(text, after) if after else None
        if field is None:
            return
        yield field
        at = field[2]


def _field(text: str, found: re.Match[str]) -> Field | None:
    loose = bool(_LOOSE.match(found["bar"]))
    if found["date"] and is_date(found["date"]):
        return (
            None if can_be_a_visit(found["date"], operation=loose) else ("date_of_birth", *found.span("date"))
        )
    span = found.span("date") if found["date"] else found.span("number")
    return ("record_number", *span) if _is_number(text, span, loose=loose) else None


def _is_number(text: str, span: Span, *, loose: bool) -> bool:
    """Whether a field can be a record number. loose: a sentence may separate its parts as this row would be."""
    number = text[slice(*span)]
    digits = sum(c.isdigit() for c in number)
    return (
        digits >= (6 if loose else 5)
        and stands_alone(number)
        and not is_date(number)
        and not MEASURED.match(text, span[1])
    )
