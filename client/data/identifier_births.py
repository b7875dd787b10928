"""Finds dates of birth: a date beside a word that says so, an age with a date in brackets, a date nobody was seen on.

A clinical note is full of dates of examination, and those stay. A date counts by its label ("DOB", "nascida a"), by
an age that fits its year, by its place between two other identifiers of one row, or by a year before any record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|fev|abr|mai|ago|set|out|dez)[^\W\d_]{0,7}\.?"
_YEAR = r"(?:['’]?\d{2}|(?:18|19|20)\d{2})"
DATE = (
    r"(?:\d{4}[ ]?[-/.][ ]?\d{1,2}[ ]?[-/.][ ]?\d{1,2}|\d{1,2}[ ]?[-/.][ ]?\d{1,2}[ ]?[-/.][ ]?(?:\d{4}|['’]?\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|º|o)?[ \-/.]{{0,2}}(?:day[ ])?(?:de[ ]|of[ ])?{_MONTH}[ ,\-/.]{{0,2}}"
    r"(?:de[ ]|do[ ])?(?:\d{4}|['’]?\d{2})"
    rf"|{_MONTH}[ \-/.]{{0,2}}\d{{1,2}}(?:st|nd|rd|th)?[ ,\-/.]{{1,2}}\d{{4}}|\d{{8}})(?!\d)"
)
_LABELLED_DATE = (
    rf"(?:(?:the[ ])?{DATE}|(?:0?[1-9]|[12]\d|3[01])[ ]{{1,2}}(?:0?[1-9]|[12]\d|3[01])[ ]{{1,2}}{_YEAR}(?!\d)"
    rf"|{_MONTH}[ \-/]{{1,2}}(?:de[ ]|of[ ])?(?:19|20)\d\d(?!\d)|(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d\d(?!\d))"
)
_LABEL = (
    r"(?:d[./\- ]?o[./\- ]?b\b\.?|d\.[ ]?n\b\.?|d/n|dn|d\.?[dt]\.?n\b\.?|"
    r"(?:date|data|dta?\.?|d\.)[ ]?(?:of[ ]birth|(?:d[eo][ ])?nasc[^\W\d_]{0,8}\.?)|"
    r"birth[ \-]?da(?:te|y)|b[’'\-]?day|birth|born|nasc[^\W\d_]{0,8}\.?|nasceu|anivers[áa]rio|aniv\b\.?|"
    r"(?:(?<=[,;:(|/\n\-–])|(?<=[,;:(|/\n\-–.][ ])|(?<![\s\S]))(?:n|b)(?:\.|[ ](?=em\b|on\b)))"
)
_BETWEEN = (  # what stands between a label and its date
    r"(?:['’]s)?(?:[ ]?/[ ]?(?:age|idade|sex[oe]?)\b)?(?:[ ]?\([dmayj/\-. ]{2,12}\))?"
    r"(?:[ ](?:in|at|em)(?-i:(?:[ ][A-ZÀ-Ý][^\W\d_]{1,20}){1,2}))?"
    r"(?:[ \t]{0,2}(?:on|in|em|a|à|aos|no|dia|at|is|was|é|foi)\b){0,3}[\s:=\-–(\[/|,.'’\"*]{0,6}"
)
_LABELLED = re.compile(
    rf"(?<!\w){_LABEL}{_BETWEEN}(?<![\d])(?P<after>{_LABELLED_DATE})"
    rf"|(?<![\d/.-])(?P<before>{_LABELLED_DATE})[ \t]{{0,2}}[(\[][ \t]?{_LABEL}[ \t]?[)\]]",
    re.IGNORECASE,
)
_UNIT = r"(?:y(?:ea)?rs?[ \-]old|y\.?/?o\.?|y(?:ea)?rs?|y|anos|a|m|f)"
_AGED = re.compile(
    rf"(?<![\w.,/+\-])(?:(?:aged?|idade)[ :]{{1,2}}(?P<said>\d{{1,3}})|(?P<counted>\d{{1,3}})[ \-]?{_UNIT})"
    rf"(?:[ ]?{_UNIT})?(?:[ ](?:man|woman|male|female|lady|gentleman))?,?[ ]?[(\[][ ]?(?P<date>{DATE})[ ]?[)\]]",
    re.IGNORECASE,
)
_ANY = re.compile(rf"(?<![\w/.,+\-]){DATE}(?![/\-\w])", re.IGNORECASE)
_FIELD = re.compile(
    rf"(?<=[|;\t])[ \t]{{0,3}}(?P<date>{_LABELLED_DATE})(?=[ \t]{{0,3}}[|;\t])", re.IGNORECASE
)
_FOUR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_TWO_AT_END = re.compile(r"(?<!\d)\d\d$")
_SEPARATOR = r"[ \t]{0,3}[|;\t][ \t]{0,3}"
_FIELD_BEFORE, _FIELD_AFTER = re.compile(rf"{_SEPARATOR}$"), re.compile(_SEPARATOR)
_EIGHT = re.compile(r"\d{8}")
_FIRST_RECORDS, _LAST_RECORDS = 1990, 2040
_FEW_SEEN_BEFORE = 2005  # a date beside a name is of birth before
_NOBODY_SEEN_BEFORE = 1960  # full dates of visits, operations and photographs are later


def labelled_births(text: str) -> Iterator[Span]:
    """Dates that a word beside them, or an age that fits, says are of birth; and dates before any visit."""
    for found in _LABELLED.finditer(text):
        yield found.span(found.lastgroup or 0)
    for found in _AGED.finditer(text):
        age = int(found["said"] or found["counted"])
        if any(_FIRST_RECORDS <= year + age <= _LAST_RECORDS for year in _years(found["date"])):
            yield found.span("date")
    for found in _ANY.finditer(text):
        written = _FOUR.search(found[0])
        if written and int(written[0]) < _NOBODY_SEEN_BEFORE:
            yield found.span()


def births_in_rows(text: str, known: Iterable[Span]) -> Iterator[Span]:
    """Dates that are a whole field of a row ("Name | date | telephone"), with another identifier on either side.

    known: the identifiers found so far.
    """
    spans = list(known)
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    for found in _FIELD.finditer(text):
        start, end = found.span("date")
        before = _FIELD_BEFORE.search(text, max(0, start - 7), start)
        after = _FIELD_AFTER.match(text, end)
        if before and after and before.start() in ends and after.end() in starts:
            yield start, end


def can_be_a_visit(date: str, *, operation: bool = False) -> bool:
    """Whether a date is of the years in which most photographs of a retina were taken; or operations, earlier."""
    first = _FIRST_RECORDS if operation else _FEW_SEEN_BEFORE
    years = _years(date) or (
        tuple(int(year) for year in (date[:4], date[4:])) if _EIGHT.fullmatch(date) else ()
    )
    return not years or any(first <= year <= _LAST_RECORDS for year in years)


def _years(date: str) -> tuple[int, ...]:
    """The year of a date; both that it may mean where only two digits are written."""
    four, two = _FOUR.search(date), _TWO_AT_END.search(date)
    if four:
        return (int(four[0]),)
    return (1900 + int(two[0]), 2000 + int(two[0])) if two else ()
