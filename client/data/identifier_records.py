"""Finds the numbers an institution knows somebody by: hospital, NHS, RG and SUS card numbers, and the CPF.

A number counts by its label, with a letter or a stroke in it or not ("URN RX-958448", "Processo n.º 4587/37"), or
by check digits where its kind has them. Lots, lenses and acuities have neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from client.data.identifier_births import DATE

_NO = r"(?:n(?:\.?[ºo°]|um(?:ber|ero)?|úm(?:ero)?|r)?\.?|number|número|#)"
_AFTER = (  # what stands between a label and its value
    rf"[ \t]{{0,3}}(?:{_NO}[ \t]{{0,2}})?[:=#\-–]?[ \t]{{0,4}}(?:\n[ \t]{{0,4}})?"
    rf"(?:{_NO}[ \t]{{0,2}}[:=]?[ \t]{{0,2}})?"
)

_CPF = re.compile(
    r"\bC[. ]?P[. ]?F\.?(?:/[A-Z]{2}\b)?(?:[ ](?:d[oae]|sob|o|a|titular|paciente|pcte?|respons[aá]vel|m[ãa]e|pai|"
    r"filh[oa]|"
    rf"segurad[oa]|benefici[áa]ri[oa]|acompanhante|c[ôo]njuge)\b){{0,4}}{_AFTER}"
    r"(?P<labelled>\d{3}[ ]?[.\-– ]?[ ]?\d{3}[ ]?[.\-– ]?[ ]?\d{3}[ ]?[-–/ .]?[ ]?\d{2})(?!\d)"
    r"|(?<![\d.])(?P<written>\d{3}\.\d{3}\.\d{3}[-–/]\d{2})(?!\d)"
    r"|(?<![\d.,/+-])(?P<bare>\d{3}[ ]?[.\- ]?[ ]?\d{3}[ ]?[.\- ]?[ ]?\d{3}[ ]?[-–/ .]?[ ]?\d{2})(?![\d/-])(?![.,]\d)",
    re.IGNORECASE,
)

_SURE = (
    r"(?P<sure>m\.?r\.?n\.?|(?:medical|hospital|health|patient|pt|pat\.?|clinic(?:al)?|unit|case|file|chart|record|"
    r"accession|hosp\.?|member|subscriber|beneficiary|insured|claim|plan|certificate|admission|episode|"
    r"enrol(?:l?ment)?|personal|driver(?:['’]?s)?|licen[cs]e|folder|account|acct\.?|insurance|medicare|medicaid|"
    r"national insurance|ni|policy|encounter|"
    r"i\.?p|o\.?p|c\.?r|ur|h&c|utente|paciente|pcte?)[ ](?:record[ ]|care[ ])?"
    r"(?:no\b\.?|nos\b|n[ºo°]|n\.[ºo°]?|nr\.?|num(?:ber)?\b\.?|id\b|ident(?:ifier|ification)\b|#)|"
    r"(?:medical|hospital|clinic|patient)[ ]record|case[ \-]?notes?|old[ ]notes|patient[ ]id(?:entifier)?|"
    r"(?:hospital|patient|pt)[ ]id|pid|"
    r"u\.?r\.?n\.?|uhid|chi(?:[ ]no\b\.?|[ ]number)|ssn|passport|passaporte|"
    r"nhs(?:[ ](?:no\b\.?|number))?|pront(?:u[áa]rio|\.)?(?:[ ](?:eletr[ôo]nico|m[ée]dico|f[íi]sico|hospitalar|d[oea]"
    r"(?:[ ]paciente|[ ]hospital)?|[úu]nico|antigo))?|rghc|"
    r"matr[íi]cula(?:[ ]funcional)?|matr?\.|ap[óo]lice|(?:n\.?[ºo°]|n[úu]mero|num|"
    r"c[óo]d(?:igo)?)\.?[ ](?:d[oae][ ])?(?:prontu[áa]rio|registr?o|"
    r"atendimento|paciente|utente|doente|processo|ficha|cadastro|matr[íi]cula|benefici[áa]rio|segurado|titular|"
    r"ap[óo]lice|conv[êe]nio|carteir(?:a|inha))|"
    r"reg(?:istr?o)?\.?[ ](?:geral|hospitalar|m[ée]dico|cl[íi]nico|interno|hosp\.?)|r\.g\.|(?-i:RH|SAME)|"
    r"ficha(?:[ ](?:cl[íi]nica|m[ée]dica|de[ ]atendimento))?|proc(?:esso)?\b\.?(?:[ ](?:cl[íi]nico|hospitalar|"
    r"[úu]nico))?|carteir(?:a|inha)(?:[ ]d[oe][ ](?:conv[êe]nio|plano))?|cart[ãa]o[ ]"
    r"(?:de[ ]cidad[ãa]o|do[ ]conv[êe]nio)|nif|cadastro)"
)
_WEAK = (
    r"(?P<weak>registr?o|record|inscri[çc][ãa]o|conv[êe]nio|atendimento|registry|registration|reg\.?|r\.?g\.?|"
    r"ident(?:idade|ity)|id|crm(?:[-/ ][a-z]{2})?|"
    r"hosp(?:ital)?|patient|pt|pcte?|paciente|doente|utente|chart|file|folder|account|acct\.?|hn)"
)
_CARD_LABEL = (
    r"(?P<card>(?:cart[ãa]o[ ](?:d[oe][ ])?(?:sus|nacional[ ]de[ ]sa[úu]de)|cns|c\.n\.s\.|sus(?:[ ]card)?))"
)
_NO_EYE = r"(?!(?:o[deus]|ao|av|va|re|le|pio|iop|r|l|hb|pa|bp|ta|cd|dm|dr)[ ])"  # "prontuário: OD 20/40"
_RECORD_NUMBER = (
    rf"(?P<number>{_NO_EYE}(?:(?<![A-Za-zÀ-ÿ])(?:[A-Z]{{1,4}}[-/]?|(?-i:[A-Zb-df-np-z]|[A-Z]{{2}}|"
    rf"[b-df-hj-np-tv-z]{{2}}(?=[ ]\d{{4}}))[ ]))?"
    r"\d(?:[\d]|[./-](?=\d)|[ ](?=\d{3}(?!\d)(?![.,/]\d))"
    r"|[ ](?=\d{4}(?:[ ]\d{4}){0,3}+(?!\d)(?![.,/]\d)))*+"
    r"(?:[-/ ]?[A-Z](?![^\W_]))?)(?![^\W_])"
)
_CHANGED = (  # "Prontuário antigo", "Hospital no. changed from"
    r"(?:[ ](?:was|is|has[ ]been|foi|é|antig[oa]|nov[oa]|anterior|atual|provis[óo]ri[oa]|tempor[áa]ri[oa]|old|new|"
    r"former|"
    r"current|previous|changed|altered|updated|amended|corrected|alterad[oa]|mudad[oa]|trocad[oa]|corrigid[oa]|mudou|"
    r"passou|atualizad[oa]|migrad[oa]|from|d[eo]|para|to)\b){0,4}"
)
_LINK = (  # between a number and the next: "123456 to 234567", "123456, novo 234567", "123456 (old), 234567 (new)"
    r"[ ]?(?:[,;/]|[-=]?>|→)?[ ]?(?:(?:e|and|ou|or|&|to|para|into|by|with|com|por|pel[oa]|now|new|nov[oa]|atual|"
    r"antig[oa]|"
    r"old|former|formerly|anterior|ex|previous|previously|also|tamb[ée]m|aka|then|depois|agora|hoje|the|is|[ée]|"
    r"was|foi|era|"
    r"number|n[úu]mero|no|n[ºo]|substitu[ií]d[oa]|replaced|merged|mudou|passou|changed|virou|"
    r"became)\b[.:]{0,2}[ ]){0,4}"
)
_RECORD = re.compile(
    rf"(?<![\w/])(?:{_SURE}|{_WEAK}|{_CARD_LABEL})(?<![ ]){_CHANGED}{_AFTER}{_RECORD_NUMBER}", re.IGNORECASE
)
_ANOTHER = re.compile(rf"[ ]?(?:\([^()\n]{{1,20}}\))?{_LINK}{_RECORD_NUMBER}", re.IGNORECASE)
_RG = re.compile(r"(?<![\d.])\d{1,2}\.\d{3}\.\d{3}-[\dXx](?![\w])")
_CARD = re.compile(r"(?<![\d.,])[12789]\d{2}[ .-]?\d{4}[ .-]?\d{4}[ .-]?\d{4}(?!\d)")
_NHS = re.compile(r"(?<![\d.,/+-])\d{3}[ ]\d{3}[ ]\d{4}(?![\d/-])(?![.,]\d)")
_COUNTRY = re.compile(r"\+\d{1,4}[ ]$")
_LOOKS_LIKE_DATE = re.compile(rf"{DATE}$|(?:19|20)\d\d$|(?:0?[1-9]|1[0-2])/(?:19|20)\d\d$", re.IGNORECASE)
_NOT_OF_A_PATIENT = re.compile(
    r"\b(?:image|photo|device|camera|lens|lot|serial|study|trial|software|batch|iol|foto|imagem|lote|aparelho)"
    r"[ \t]{1,2}$",
    re.IGNORECASE,
)
MEASURED = re.compile(
    r"[ ]?(?:%|microns?|micra|[uµμ]m\b|/?mm|mg|ml|kg|cm|cells|c[ée]lulas|spots|disparos|letters)",
    re.IGNORECASE,
)
_THREE_PAIRS = re.compile(r"(\d\d)[-./](\d\d)[-./]\d\d")
_ACUITY = re.compile(r"\d{1,2}/\d{1,3}")
_EIGHT = re.compile(r"\d{8}")
_PAIRS = re.compile(r"\d{2,3}[-.]\d{2,4}(?:[-.]\d{1,4})?$")
_LONG_PART = re.compile(r"\d{5}")
_MOSTLY_NUMBERS = ("reg", "record", "acc", "acct", "file", "folder", "chart", "inscri", "conv")
_ALSO_PAPERS = ("ficha", "proc", "cadastro")  # "ficha 12-03-21" is of that day
_SOMEBODY = ("patient", "pat", "pt", "pc", "utente", "paciente")  # "patient no 2 complaints"


def labelled_cpfs(text: str) -> Iterator[tuple[int, int]]:
    """CPF numbers after their label, or written as only they are."""
    for found in _CPF.finditer(text):
        if not found["bare"]:
            yield found.span(found.lastgroup or 0)


def checked_cpfs(text: str) -> Iterator[tuple[int, int]]:
    """Eleven digits, however grouped, that carry the check digits of a CPF."""
    for found in _CPF.finditer(text):
        if found["bare"] and is_cpf(found["bare"]):
            yield found.span("bare")


def labelled_records(text: str) -> Iterator[tuple[int, int]]:
    """Numbers after a label of a record or a card, and those that follow them: "from 4587 to 99/1203"."""
    for found in _RECORD.finditer(text):
        if not _is_record(text, found):
            continue
        yield found.span("number")
        another = _ANOTHER.match(text, found.end())
        while another and _can_stand_alone(text, another):
            yield another.span("number")
            another = _ANOTHER.match(text, another.end())


def shaped_records(text: str) -> Iterator[tuple[int, int]]:
    """RG numbers by their shape, SUS cards and NHS numbers by their check digits."""
    yield from (found.span() for found in _RG.finditer(text))
    yield from (found.span() for found in _CARD.finditer(text) if is_health_card(found[0]))
    yield from (found.span() for found in _NHS.finditer(text) if _is_nhs(text, found))


def _is_day(eight: str) -> bool:
    """Whether eight digits in a row are day, month and year, or year, month and day."""
    for first, second, year in ((eight[:2], eight[2:4], eight[4:]), (eight[4:6], eight[6:], eight[:4])):
        day, month = max(int(first), int(second)), min(int(first), int(second))
        if 0 < month <= 12 and day <= 31 and 1880 <= int(year) <= 2040:
            return True
    return False


def _is_nhs(text: str, match: re.Match[str]) -> bool:
    abroad = _COUNTRY.search(text, max(0, match.start() - 6), match.start())  # "+234 803 616 8707"
    return not abroad and is_nhs_number(match[0])


def _is_record(text: str, match: re.Match[str]) -> bool:
    number: str = match["number"]
    digits = sum(c.isdigit() for c in number)
    if match["card"]:
        return digits >= 11 and not _LOOKS_LIKE_DATE.match(number)
    if match["sure"]:
        label = match["sure"].casefold()
        if is_date(number, sure=not label.startswith(_ALSO_PAPERS)) and not (
            number.isdigit() and digits != 4
        ):
            return False
        if (label == "nhs" and "/" in number) or _ACUITY.fullmatch(number):  # "NHS 2021/22", "MRN 20/40"
            return False
        return digits >= (4 if label.startswith(_SOMEBODY) else 3)
    sure = match["weak"].casefold().startswith(_MOSTLY_NUMBERS)
    return (
        digits >= 4
        and not is_date(number, sure=sure)
        and not (sure is False and _THREE_PAIRS.fullmatch(number))
        and ("/" not in number or bool(_LONG_PART.search(number)))
        and not MEASURED.match(text, match.end())
        and not _NOT_OF_A_PATIENT.search(text, max(0, match.start() - 14), match.start())
    )


def _can_stand_alone(text: str, match: re.Match[str]) -> bool:
    """Whether a number after another record number is one too: "20/40" and "1200 microns" are not."""
    number: str = match["number"]
    return (
        sum(c.isdigit() for c in number) >= 5
        and stands_alone(number)
        and not is_date(number, sure=True)
        and not MEASURED.match(text, match.end())
    )


def stands_alone(number: str) -> bool:
    """Whether a number that nothing announces has the shape of a record number: "2008/84974", "40-85-31"."""
    return bool(_LONG_PART.search(number)) or bool(_PAIRS.match(number))


def is_date(number: str, *, sure: bool = False) -> bool:
    """Whether a number reads as a date. sure: pairs of digits with hyphens ("10-05-31") are a number all the same."""
    if not _LOOKS_LIKE_DATE.match(number):
        return False
    pairs = _THREE_PAIRS.fullmatch(number)
    if not pairs:
        return not _EIGHT.fullmatch(number) or _is_day(number)
    first, second = int(pairs[1]), int(pairs[2])
    possible = 0 < min(first, second) <= 12 and max(first, second) <= 31
    return possible and not (sure and "-" in number)


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


def is_nhs_number(number: str) -> bool:
    """Whether ten digits carry the check digit of an NHS number of England and Wales."""
    values = [int(c) for c in number if c.isdigit()]
    return len(values) == 10 and sum(v * (10 - i) for i, v in enumerate(values[:9])) % 11 == -values[9] % 11
