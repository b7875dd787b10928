"""Finds telephone numbers of Britain, Ireland, North America, Brazil and Portugal, by their shape or by a label.

Thicknesses, pressures and years are also digits with spaces, hyphens and points. A shape that nothing clinical has
counts alone ("07700-900-835", "9.9645-1384"); a shorter one counts after a word that announces a number to call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from client.data.identifier_records import MEASURED

_SHAPES = (
    r"(?:\+|00)55[ .-]?\(?0?\d{2}\)?[ .-]?9?[ .-]?\d{4}[ .-]?\d{4}(?!\d)",
    r"\+\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]\d{2,8}){1,5}(?!\d)",  # international
    r"\+\d{10,15}(?!\d)",
    r"00[1-9]\d{0,2}[ .-](?:\(0?\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]\d{2,8}){1,5}(?!\d)|00[1-9]\d{9,12}(?!\d)",
    r"(?:(?:0055|55)[ -]?)?\(0?\d{2}\)[ .-]{0,2}9?[ .-]?\d{4}[ .-]{0,1}\d{4}(?!\d)",  # (11) 98765-4321
    r"(?:55[ -])?0?[1-9]\d(?:[ ]?/[ ]?|[ .-]{1,2})9?[ .]?\d{4}-\d{4}(?!\d)",  # 11 98765-4321
    r"[1-9]{2}[ ]9[ .]?\d{4}[ .]?\d{4}(?!\d)",
    r"(?:1[ .-])?\(\d{3}\)[ .-]{0,2}\d{3}[ .-]\d{4}(?!\d)",  # (555) 123-4567
    r"(?:1[-. ])?\d{3}-\d{3}-\d{4}(?!\d)|(?:1\.)?\d{3}\.\d{3}\.\d{4}(?!\d)",
    r"0[38]00[ -]?\d{3}[ -]?\d{3,4}(?!\d)",
    r"0[1-9]\d{1,3}[ .-]\d{3,4}[ .-]\d{3,4}(?!\d)|07\d{3}[ .-]?\d{6}(?!\d)|0[12]\d{2,3}[ -]\d{6}(?!\d)",
    r"02\d[ -]\d{8}(?!\d)|\(0\d{2,4}\)[ .-]?\d{3,4}[ .-]?\d{3,4}(?!\d)",
    r"9[ .]\d{4}[-.]\d{4}(?!\d)|9\d{4}-\d{4}(?!\d)",
    r"[1-9]{2}9\d{8}(?!\d)",  # 11 digits in a row: area code and a mobile's leading 9
)
_LABELLED_SHAPES = (
    *_SHAPES,
    r"00[ ][1-9]\d{0,2}[ .-]\d{2,5}(?:[ .-]\d{3,8}){1,3}(?!\d)",
    r"0?\d{2}(?:[ ]?/[ ]?|[ .-]{1,2})9?[ .]?\d{4}[ .-]?\d{4}(?!\d)",
    r"9[ .-]\d{4}[ .-]?\d{4}(?!\d)",
    r"\d{3,5}[ .-]\d{4}(?!\d)",
    r"0?\d{2,4}[ .-]\d{3,4}[ .-]\d{2,5}(?!\d)|0?\d{2,5}[ .-]\d{6,8}(?!\d)",
    r"\d{2,4}(?:[ .-]\d{2}){3,4}(?!\d)",  # 21 34 56 78
    r"\d{7,14}(?!\d)",
)
_LABEL = (
    r"(?:(?:tele?|phone|fone|fax|cel(?:ular)?|cell(?:phone)?|mobile|mob|landline|whats(?:[ ]?app)?|zap|wpp|"
    r"telem[óo]vel|telem|tlm|tlf|telef(?:one|ónica)?|telephoned?|tels|tel(?:[./ ]?(?:res|com|cel|fixo|casa|trab))|"
    r"contat?[oc]t?s?|contact(?:ar|able|ed)?|contatar|call(?:ed|back)?|rang|phoned|sms|ligar|ligou|"
    r"ph|recados?|ramal|reach(?:ed|able)?|"
    r"(?:my|her|his|their|our|new|meu|seu|nosso|novo)[ ](?:n[úu]mero|number)|"
    r"(?:n[úu]mero|number)[ ](?:novo|nova|is|[ée]|del[ea])|"
    r"(?:avis[ae]r?|falar|chamar|chame|ligar|ring|call|phone|notify|text|message|remind|"
    r"inform)(?:[ ][^\W\d_]{1,20}){1,4}?"
    r"[ ](?:no|on|at|pelo|via))\b\.?)"
)
_FILLER = (
    r"(?:[ ./]{1,2}(?:number|no\b|nos|num|nr|n[ºo°]|p/?|para|pra|celular|residencial|comercial|res\b|com\b|fixo|"
    r"c(?:asa)?|trabalho|contato|contacto|recados?|phone|tel|home|work|mob(?:ile)?|cel|back|on|at|via|by|her|him|"
    r"them|d[eoa]|filh[oa]|m[ãa]e|pai|espos[oa]|marido|vizinh[oa]|son|daughter|wife|husband|next[ ]of[ ]kin|"
    r"fone|telefone|whatsapp|zap|em|no|nov[oa]|new|is|[ée]|agora|now|atual|changed|to|\((?:h|w|m|home|work|mobile|"
    r"day|res|com|cel|filh[oa]|son|daughter)\))\.?){0,3}"
)
_PHONE = re.compile(rf"(?<![\w.,/+-])(?:{'|'.join(_SHAPES)})(?![.,/]\d)")
_LABELLED = re.compile(
    rf"(?:(?<!\w){_LABEL}{_FILLER}|\.(?:com|org|net|br|uk|pt|ie|me)[ ,;|/]{{1,3}}(?:(?:ou|or|e|and)[ ])?)"
    rf"[ \t]{{0,3}}(?:n\.?[ºo°]\.?)?[:=#\-–]?[ \t]{{0,4}}(?:\n[ \t]{{0,4}})?"
    rf"(?P<number>{'|'.join(_LABELLED_SHAPES)})(?![.,/]\d)",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    rf"[ ]{{0,2}}(?:[/,;|]|\b(?:ou|or|e|and|&)(?=[ ]))[ ]{{0,2}}(?P<number>{'|'.join(_LABELLED_SHAPES)})(?![.,/]\d)",
    re.IGNORECASE,
)
_IN_A_ROW = re.compile(r"(?<=[|;\t])[ \t]{0,3}(?P<number>\d{4,5}[-. ]\d{4})(?=[ \t]{0,3}(?:[|;\t\n]|$))")
_YEARS = re.compile(r"(?:^|/[ ]?)(?:19|20)\d\d[ .\-](?:19|20)\d\d$")
_YEAR_OR_DATE = re.compile(
    r"(?:19|20)\d\d[ .\-]\d{1,2}[ .\-]\d{1,2}$|\d{1,2}[ .\-]\d{1,2}[ .\-](?:19|20)\d\d$"
)


def labelled_phones(text: str) -> Iterator[tuple[int, int]]:
    """Numbers after a word that announces one, and those that follow them: "31 3222 4410 / 99888 1234"."""
    for found in _LABELLED.finditer(text):
        next_one: re.Match[str] | None = found
        while next_one and _is_phone(next_one["number"]) and not MEASURED.match(text, next_one.end()):
            yield next_one.span("number")
            next_one = _ANOTHER.match(text, next_one.end())


def shaped_phones(text: str) -> Iterator[tuple[int, int]]:
    """Numbers that only a telephone has, and short ones that are a whole field of a row."""
    for found in _PHONE.finditer(text):
        if _is_phone(found[0], least=10 if found[0].startswith("0") else 7):
            yield found.span()
    for found in _IN_A_ROW.finditer(text):
        if _is_phone(found["number"]):
            yield found.span("number")


def _is_phone(number: str, least: int = 7) -> bool:
    digits = sum(c.isdigit() for c in number)
    if _YEARS.search(number) or _YEAR_OR_DATE.match(number):
        return False
    return digits >= (10 if number.startswith(("+", "00")) else least)
