"""What the words and codes of a hospital's columns mean, and how to read a cell by them.

Where the mapping gives codes for a column, only these are understood; otherwise the words that leave no doubt
(English and Portuguese). A bare 1 or 2 for a sex or an eye is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from client.adapters.companions import SPLIT_WORDS
from client.adapters.dates import DAYS_A_YEAR
from client.adapters.values import Unusable, flag, grade, is_blank, number, plain, without_decimals, word
from shared_model.records import FINDINGS, GRADES

MISSING = "missing"
Value = float | int | str | None
Codes = Mapping[str, Value]
Read = Callable[[str], Value]

SEXES = {"male": 1.0, "female": 0.0}
EYES = {"right": 0.0, "left": 1.0}
_SEX_WORDS = SEXES | {"m": 1.0, "masculino": 1.0, "f": 0.0, "feminino": 0.0}
_EYE_WORDS = EYES | dict.fromkeys(("r", "od", "right eye", "direito", "olho direito"), 0.0)
_EYE_WORDS |= dict.fromkeys(("l", "os", "oe", "left eye", "esquerdo", "olho esquerdo"), 1.0)
_YES_NO = {"yes": 1.0, "true": 1.0, "1": 1.0, "no": 0.0, "false": 0.0, "0": 0.0}
_GRADES = {str(value): value for value in range(GRADES)}

# The five steps of the ICDR scale by name; NPDR and PDR are the scale's own abbreviations.
_ICDR_WORDS = _GRADES | dict.fromkeys(("no dr", "no retinopathy", "no diabetic retinopathy"), 0)
for _step, _severity in enumerate(("mild", "moderate", "severe"), start=1):
    for _name in ("npdr", "non-proliferative diabetic retinopathy", "nonproliferative diabetic retinopathy"):
        _ICDR_WORDS[f"{_severity} {_name}"] = _step
_ICDR_WORDS |= dict.fromkeys(("pdr", "proliferative dr", "proliferative diabetic retinopathy"), 4)
_SDRG_WORDS = _GRADES | {f"r{value}": value for value in range(GRADES)}

_FLAGS = ("diabetes", "insulin", "image_field", "findings", *FINDINGS)
_NUMBERS = ("age", "diabetes_duration")
_WORDS = ("camera", "center")
_UNITS = {"years": 1.0, "months": 12.0, "weeks": DAYS_A_YEAR / 7, "days": DAYS_A_YEAR}
CODED = frozenset(("sex", "eye", "icdr", "sdrg", "split", *_FLAGS, *_NUMBERS, *_WORDS))

# Field -> what a code may mean.
_MEANINGS: Mapping[str, Mapping[str, float] | Mapping[str, int] | Mapping[str, str]] = {
    "sex": SEXES,
    "eye": EYES,
    "icdr": _GRADES,
    "sdrg": _GRADES,
    "split": SPLIT_WORDS,
    **dict.fromkeys(_FLAGS, _YES_NO),
}


def compiled(field: str, codes: Mapping[str, str | int | float | bool]) -> dict[str, Value]:
    """Codes of a column as [data.table.codes] gives them -> their values, by plain text; None is missing.

    Raises ValueError for a code that means nothing, or the same code with two meanings.
    """
    found: dict[str, Value] = {}
    for code, given in codes.items():
        written, meaning = without_decimals(plain(code)), _meaning(field, code, given)
        if written in found and found[written] != meaning:
            raise ValueError(f"the code {code!r} is given two meanings (capitals and accents do not count)")
        found[written] = meaning
    return found


def _meaning(field: str, code: str, given: str | int | float | bool) -> Value:
    said = without_decimals(plain(str(given)))
    if said == MISSING:
        return None
    if field in _WORDS:
        return str(given)
    if field in _NUMBERS:
        try:
            return number(str(given), 0, 120)
        except Unusable as reason:
            raise ValueError(f"the code {code!r} means {given!r}, which is {reason}") from None
    if said not in _MEANINGS[field]:
        allowed = ", ".join(_MEANINGS[field])
        raise ValueError(f"the code {code!r} means {given!r}; use one of {allowed}, {MISSING}")
    return _MEANINGS[field][said]


def reader(field: str, codes: Codes | None = None, unit: str = "years") -> Read:
    """How the cells of a column are read: text -> value, None where missing; Unusable where it says nothing known.

    field: a name of CODED. codes: as `compiled` gives them. unit: of an age or a duration, which is read in years.
    """
    if field in _NUMBERS:
        return _by(codes or {}, lambda text: _years(text, unit))
    if field in _WORDS:
        return _by(codes or {}, word)
    if codes is not None:
        return _by(codes, _unknown)
    words, otherwise = _READ[field]
    return _by(words, otherwise)


def _by(words: Mapping[str, Value], otherwise: Read) -> Read:
    def read(text: str) -> Value:
        written = without_decimals(plain(text))
        if written in words:
            return words[written]
        return None if is_blank(text) else otherwise(text)

    return read


def _years(text: str, unit: str) -> float | None:
    value = number(text, 0, 120 * _UNITS[unit])
    return None if value is None else value / _UNITS[unit]


def _unknown(text: str) -> None:
    raise Unusable("not a code of this column")


# Field -> the words that leave no doubt, and what reads a cell that is none of them.
_READ: Mapping[str, tuple[Mapping[str, Value], Read]] = {
    "sex": (_SEX_WORDS, _unknown),
    "eye": (_EYE_WORDS, _unknown),
    "icdr": (_ICDR_WORDS, grade),
    "sdrg": (_SDRG_WORDS, grade),
    "split": (SPLIT_WORDS, _unknown),
    **dict.fromkeys(_FLAGS, ({}, flag)),
}
