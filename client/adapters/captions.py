"""What a free caption of a photograph plainly states: age, sex, eye, diabetes, and whether it is a photograph.

A caption is prose, so only what can be read in one way is read: two ages, or a man and a woman in one
caption, give nothing. That something is not mentioned is not a statement that it is absent.
"""

from __future__ import annotations

import re

from client.adapters.values import Unusable

_AGE = re.compile(r"\b(\d{1,4})[\s-]*(?:(year|month|week|day)s?[\s-]*old|(y)\.?/?o)\b", re.IGNORECASE)
_UNITS = {"y": 1.0, "year": 1.0, "month": 12.0, "week": 52.18, "day": 365.2425}
_SEXES = {
    1.0: re.compile(r"\b(?:male|man|gentleman|boy)\b", re.IGNORECASE),
    0.0: re.compile(r"\b(?:female|woman|lady|girl)\b", re.IGNORECASE),
}
# "of the left eye", not "the left eye had been treated": the photograph must be said to show it.
_EYE = re.compile(
    r"\b(?:photo(?:graph)?|image|picture|view|fundus|angiogram)\s+of\s+(?:the\s+|a\s+|his\s+|her\s+)?"
    r"(left|right)\s+(?:eye|macula|fundus|retina|optic|disc|posterior)\b",
    re.IGNORECASE,
)
_DIABETES = re.compile(
    r"\bdiabetic\s+(?:\w+\s+)?(?:male|female|man|woman|patient|gentleman|lady|boy|girl)\b"
    r"|\b(?:type\s+(?:1|2|i{1,2})|insulin[\s-]dependent)\s+diabet(?:ic|es)\b"
    r"|\bpatient\s+with\s+(?:\w+\s+){0,2}diabetes\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:no|not|non|pre|without|denies|denied|never|family|mother|father|sibling|brother|sister|suspected|"
    r"possible|probable|insipidus|gestational|rule[sd]?\s+out|risk)\b|\?",
    re.IGNORECASE,
)
_COLOUR = re.compile(
    r"\b(?:colou?r\s+(?:fundus\s+)?(?:photo|image|picture|view|montage)|fundus\s+(?:photo|image|picture))",
    re.IGNORECASE,
)
_OTHER_KINDS = (
    r"(?:(?:fluorescein|indocyanine(?:\s+green)?|icg)\s+)?angiogra(?:m|ms|phy|phic)\b|\bf?fa\b|\bicga?\b|red[\s-]*free\b|"
    r"\b(?:auto[\s-]*fluorescence|faf)\b|\b(?:oct|optical\s+coherence\s+tomogra\w*)\b|"
    r"\bultraso\w*|\bb[\s-]scan\b"
)
# "Late phase fluorescein angiogram ..." or "... red free image of the left macula", not "the angiogram showed".
_LEADS = (
    r"(?:(?:\d+[\s-]degrees?|view|field|early|late|mid|phase|frame|wide|montage|digital|of|the|an?|this|is)"
    r"[\s,:-]+)*"
)
_IS_OTHER = re.compile(
    rf"^\W*{_LEADS}(?:{_OTHER_KINDS})|(?:{_OTHER_KINDS})(?:\s+\w+){{0,2}}\s+of\b", re.IGNORECASE
)
_OTHER = re.compile(_OTHER_KINDS, re.IGNORECASE)


def age(caption: str) -> float | None:
    """The age in years ("43-year-old", "6 month old"), None where none or several are stated.

    Raises Unusable for an age that nobody has.
    """
    ages = {float(years) / _UNITS[(unit or short).casefold()] for years, unit, short in _AGE.findall(caption)}
    if len(ages) != 1:
        return None
    stated = ages.pop()
    if stated > 120:
        raise Unusable("outside 0 to 120")
    return stated


def sex(caption: str) -> float | None:
    """1 male, 0 female, None where neither or both are named."""
    named = [code for code, words in _SEXES.items() if words.search(caption)]
    return named[0] if len(named) == 1 else None


def eye(caption: str) -> float | None:
    """1 left, 0 right, where the caption says which eye the picture is of."""
    sides = {side.casefold() for side in _EYE.findall(caption)}
    return float(sides == {"left"}) if len(sides) == 1 else None


def diabetes(caption: str) -> float | None:
    """1 where a sentence calls the patient diabetic without any doubt or negation in it; never 0."""
    sentences = re.split(r"(?<=[.!?;])\s+", caption)
    return 1.0 if any(_DIABETES.search(s) and not _DOUBT.search(s) for s in sentences) else None


def is_colour_photograph(caption: str, keywords: str = "", folder: str = "") -> bool:
    """Whether nothing says that the picture itself is an angiogram or of another kind.

    A folder or a keyword that names another kind decides, and a caption that says what the picture is; one that
    says what an angiogram showed does not ("colour photograph; the angiogram showed leakage").
    """
    if _OTHER.search(folder.replace("_", " ").replace("/", " ")):
        return False
    if any(_names_kind(keyword) for keyword in keywords.split(",")):
        return False
    other, colour = _IS_OTHER.search(caption), _COLOUR.search(caption)
    return other is None or (colour is not None and colour.start() <= other.start())


def _names_kind(keyword: str) -> bool:
    """Whether a keyword is nothing but a kind of picture: "fluorescein angiogram (fa)"."""
    words = keyword.partition("(")[0].strip()
    return bool(words) and not _OTHER.sub("", words).strip(" -")
