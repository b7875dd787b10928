"""Reads dates in the formats that a site names, and the time between two of them.

A format must say day, month and four-digit year: two digits do not tell a birth in 1930 from one in 2030. A
date that two of the formats read differently (03/04/2020) is not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from client.adapters.values import Unusable, is_blank

DAYS_A_YEAR = 365.2425
ISO = "%Y-%m-%d"


def format_fault(pattern: str) -> str:
    """Why a strptime pattern cannot be used for dates; "" where it can."""
    needed = [
        any(code in pattern for code in codes) for codes in (("%Y",), ("%m", "%b", "%B", "%j"), ("%d", "%j"))
    ]
    if not all(needed):
        return "a date format needs %Y, %m and %d (a four-digit year, the month and the day)"
    try:
        datetime.strptime(datetime(2001, 2, 3).strftime(pattern), pattern)
    except ValueError:
        return "this is not a date format that Python's strptime reads"
    return ""


def read_date(text: str, patterns: Sequence[str]) -> date | None:
    """The date in a cell, None where it is blank. Raises Unusable where no pattern fits or two disagree.

    `2020-01-31T00:00:00`, which is how typed tables show their dates, is always read.
    """
    if is_blank(text):
        return None
    stripped = text.strip()
    found = {parsed for pattern in patterns if (parsed := _parsed(stripped, pattern))}
    if not found and stripped[10:11] == "T":
        found = {typed} if (typed := _iso(stripped)) else set()
    if not found:
        raise Unusable("not a date in one of the formats named")
    if len(found) > 1:
        raise Unusable("two of the date formats read it differently")
    return found.pop()


def years_between(earlier: date, later: date) -> float:
    """Whole years as people count them (a birthday completes one). Raises Unusable where `later` is earlier."""
    if later < earlier:
        raise Unusable("after the date of the examination")
    before = (later.month, later.day) < (earlier.month, earlier.day)
    return float(later.year - earlier.year - before)


def _parsed(text: str, pattern: str) -> date | None:
    try:
        return datetime.strptime(text, pattern).date()
    except ValueError:
        return None


def _iso(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
