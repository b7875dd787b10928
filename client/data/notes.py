"""Takes out of a note every sentence that states the grade, so that grading cannot read its own answer.

A note that says "Diabetic retinopathy is present." holds the target. What states it, affirmed or negated, in
English or Portuguese, by name, abbreviation or grade, is dropped by whole sentences; so is a statement that
all is normal, which is grade 0 by implication. Where in doubt the sentence goes: losing a fact costs little,
keeping the target costs the result. Other findings stay, although they leak the grade too (macular edema).
"""

from __future__ import annotations

import re
import unicodedata

# A sentence ends at . ! ? ; before a blank, at a blank line, or at a line end before a capital or bullet.
_BREAK = re.compile(r"(?<!\b[Rr]et\.)(?<=[.!?;])\s+|\n(?=\s*[A-Z0-9•*\-])|\n\s*\n")

_SEVERITY = r"(?:very severe|mild|moderate|severe|advanced|leve|moderad[oa]|sever[oa]|grave|avancad[oa])"
_NUMERAL = r"(?:[0-4]|zero|one|two|three|four|um|dois|tres|quatro|i{1,3}|iv)"
_SCALE = r"(?:grad(?:e|ed|ing)|gr|grau|estagio|stage|nivel|level|score|classe?)"
_FUNDUS = (
    r"(?:fund(?:us|i|o|oscop\w+)|retinas?|exam\w*|eyes?|olhos?|mapeamento|retinograf\w+|stud(?:y|ies)|"
    r"photograph\w*|assessment|ophthalmoscopy|od|oe|os|ou)"
)
_NORMAL = r"(?:normal|normais|healthy|saudave\w+|unremarkable|clear|preservad\w+|negativ[eo]|clean)"
_ABSENT = (
    r"(?:no|without|sem|nenhum\w*|ausencia de|absence of|"
    r"nao (?:ha|se observam?|foram observad[oa]s|apresenta))"
)
_OF_THE_EYE = r"(?:ocular\w*|ocul\w+|ophthalm\w+|oftalm\w+|retin\w+|eyes?|microvascular\w*)"
_EYE = r"(?:(?:right|left|both|olhos?|direit[oa]|esquerd[oa]|ambos|os|od|oe|ou|ao|eyes?)\W+){1,4}"
_ANY = r"(?:(?:ab|a)normal\w*|alterac\w*|alterat\w*|finding\w*|achad\w*|path?olog\w*|disease|doenca\w*)"

_NAMES_IT = (
    r"\b(?:retinopat|ret\W+)\w*\W+(?:\w+\W+){0,3}diabet|\bdiabet\w*\W+(?:\w+\W+){0,4}retinopat",
    r"\b(?:s?n ?pdr|pdr|bdr|ddr|rdnp\w?|rdp\w?|rd|d\.r\.)(?!\w)",
    r"proliferat\w+|proliferac\w+|proliferant\w+",
    r"\bdiabet\w*\W+(?:\w+\W+)?(?:eye|retin\w*|fund\w*|chang\w*|sign\w*|lesion\w*|disease)\b",
    r"\b(?:alterac\w*|sinais|lesoes|olho|fundo|signs?|lesions?|changes)\W+(?:\w+\W+){0,2}diabet",
)
_GRADES_IT = (
    r"\b(?:icdr|sdrg|etdrs|icdrss|r[0-4](?:m[0-2])?[ap]?)\b|scottish",
    rf"\b{_SCALE}\b\W*(?:\w+\W+){{0,2}}?{_NUMERAL}\b",
    r"\breferable\b|\bnon\W?referable\b|\bsight\W?threatening\b",
    rf"\b{_SEVERITY}\W+(?:disease|doenca|stage)\b|\b{_SEVERITY}\W*$",
    r"\be1[0-4]\W?[39]\d{0,4}\b|\bh36\W?0\b|\b362\W0\d?\b",  # ICD-10 and ICD-9: diabetes with and without it
)
_ALL_NORMAL = (
    rf"\b{_ABSENT}\W+(?:\w+\W+){{0,3}}?{_ANY}",
    rf"\b{_FUNDUS}\b\W*(?:\w+\W+){{0,4}}?{_NORMAL}\b|\b{_NORMAL}\W+(?:\w+\W+){{0,2}}?{_FUNDUS}\b",
    r"\bwithin normal limits\b|\bwnl\b|\bdentro d[oa] (?:normal|limites)|\bnothing abnormal\b",
    r"\bnada digno de nota\b|\bndn\b|\bsem (?:particularidades|lesoes)\b|\bno lesions?\b",
    r"\bunremarkable\b",
    rf"\b{_ABSENT}\W+(?:\w+\W+){{0,2}}?(?:{_OF_THE_EYE}\W+complic\w+|complic\w+\W+{_OF_THE_EYE})",
)
# What is left of a statement that a full stop or a line end tore apart.
_REMNANTS = (
    rf"^\W*(?:{_EYE})?(?:{_SEVERITY}|{_NUMERAL}|{_NORMAL}|none|absent|present|ausente|presente|no|nao|sem|yes|sim)\W*$",
)
_STATES_GRADE = tuple(re.compile(p) for p in (*_NAMES_IT, *_GRADES_IT, *_ALL_NORMAL, *_REMNANTS))

# "DR", but not the "Dr" before a physician's name.
_DR = re.compile(
    r"\bDR\b|\b[Dd]r\b(?!\.?(?:\s+[A-Z][a-z]|$))|\bDr\b\W*(?i:mild|moderate|severe|absent|present|none)"
)
_RETINOPATHY = re.compile(r"retinopat\w*")
# Retinopathies of another cause: they may stay.
_OTHER_CAUSE = re.compile(
    r"\b(?:hypertensi\w+|central serous|solar|sickle cell|radiation|toxic|purtscher)\W+retinopat\w*"
    r"|\bretinopat\w*\W+(?:h[iy]pertensi\w+|serosa|solar|falciforme|of prematurity|da prematuridade|toxica)"
)


def mask_grade(text: str) -> str:
    """The note without the sentences that state the grade of diabetic retinopathy.

    "" where nothing is left: a note that is present and says nothing, so that a note of grade 0 and one that
    only names diabetic retinopathy look the same.
    """
    sentences = (part.strip() for part in _BREAK.split(text))
    return " ".join(part for part in sentences if part and not states_grade(part))


def states_grade(sentence: str) -> bool:
    """Whether one sentence states the grade, its absence, or that all is normal."""
    if _DR.search(sentence):
        return True
    bare = _bare(sentence)
    if len(_RETINOPATHY.findall(bare)) > len(_OTHER_CAUSE.findall(bare)):
        return True
    return any(pattern.search(bare) for pattern in _STATES_GRADE)


def _bare(sentence: str) -> str:
    """Lower case, without accents, hyphens and repeated blanks."""
    decomposed = unicodedata.normalize("NFKD", sentence)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return " ".join(re.sub(r"[\u2010-\u2015_-]", " ", letters).split())
