"""How single cells of a hospital's table are read: numbers, yes or no, codes, grades.

Every reader takes the cell's text and returns its value, None where the cell is blank, or raises Unusable
with the reason. What an unusable cell costs (the value or the row) is the adapter's decision. The dirt they
know is BRSET's: decimal commas, the letter O for zero, capitals, Portuguese words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from shared_model.records import GRADES

_BLANK = frozenset({"", "na", "n/a", "nan", "<na>", "null", "none", "nd", "-", "--", ".", "?", "unknown"})
_YES = frozenset({"yes", "y", "sim", "s", "true", "1"})
_NO = frozenset({"no", "n", "nao", "false", "0"})
_NUMBER = re.compile(r"[+-]?[0-9oO]+(?:[.,][0-9oO]*)?")
_WHOLE = re.compile(r"([0-9]+)(?:[.,]0*)?")


class Unusable(ValueError):
    """A cell that holds something, but nothing that its column can mean; the text is the reason."""


def plain(text: str) -> str:
    """The text in lower case, without accents or surrounding and repeated blanks: `  Não ` -> `nao`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())


def is_blank(text: str) -> bool:
    """Whether the cell says nothing."""
    return plain(text) in _BLANK


def number(text: str, low: float, high: float) -> float | None:
    """A number from low to high, written with a decimal point or comma; the letter O counts as a zero."""
    if is_blank(text):
        return None
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        raise Unusable("not a number")
    value = float(re.sub("[oO]", "0", stripped).replace(",", "."))
    if not low <= value <= high:
        raise Unusable(f"outside {low:g} to {high:g}")
    return value


def flag(text: str) -> float | None:
    """1.0 for yes, 0.0 for no, in English, Portuguese or digits (`1`, `1.0`)."""
    if is_blank(text):
        return None
    word = without_decimals(plain(text))
    if word in _YES:
        return 1.0
    if word in _NO:
        return 0.0
    raise Unusable("neither yes nor no")


def coded(text: str, codes: Mapping[str, float]) -> float | None:
    """The meaning of a code; codes: plain text -> value. `1.0` is read as `1`."""
    if is_blank(text):
        return None
    word = without_decimals(plain(text))
    if word not in codes:
        raise Unusable("not a code of this column")
    return codes[word]


def grade(text: str) -> int | None:
    """A grade of retinopathy, 0 to 4."""
    if is_blank(text):
        return None
    whole = _WHOLE.fullmatch(text.strip())
    if whole is None or len(whole[1]) > 3:
        raise Unusable(f"not a whole number from 0 to {GRADES - 1}")
    if int(whole[1]) >= GRADES:
        raise Unusable(f"outside 0 to {GRADES - 1}")
    return int(whole[1])


def identifier(text: str) -> str | None:
    """An id as text; `12.0`, which spreadsheets make of 12, is read as `12`."""
    stripped = text.strip()
    if is_blank(stripped):
        return None
    return without_decimals(stripped)


def word(text: str) -> str | None:
    """The text without surrounding blanks, None where it says nothing."""
    return None if is_blank(text) else text.strip()


def without_decimals(text: str) -> str:
    """The text, unless it is a whole number as spreadsheets write it: `12.0` -> `12`."""
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text)
