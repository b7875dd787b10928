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
    r"\bC\.?P\.?F\.?(?:/[A-Z]{2}\b)?(?:[ ](?:d[oae]|sob|o|a|titular|paciente|pcte?|respons[aá]vel|m[ãa]e|pai|filh[oa]|"
    rf"segurad[oa]|benefici[áa]ri[oa]|acompanhante|c[ôo]njuge)\b){{0,4}}{_AFTER}"
    r"(?P<labelled>\d{3}[. ]?\d{3}[. ]?\d{3}[ ]?[-–/ .]?[ ]?\d{2})(?!\d)"
    r"|(?<![\d.])(?P<written>\d{3}\.\d{3}\.\d{3}[-–/]\d{2})(?!\d)"
    r"|(?<![\d.,/+-])(?P<bare>\d{3}[. ]?\d{3}[. ]?\d{3}[-–/ .]?\d{2})(?![\d/-])(?![.,]\d)",
    re.IGNORECASE,
)

_SURE = (
    r"(?P<sure>m\.?r\.?n\.?|(?:medical|hospital|health|patient|pt|pat\.?|clinic(?:al)?|unit|case|file|chart|record|"
    r"accession|hosp\.?|folder|account|acct\.?|insurance|medicare|medicaid|national insurance|ni|policy|encounter|"
    r"i\.?p|o\.?p|c\.?r|ur|h&c|utente|paciente|pcte?)[ ](?:record[ ]|care[ ])?"
    r"(?:no\b\.?|nos\b|n[ºo°]|n\.[ºo°]?|nr\.?|num(?:ber)?\b\.?|id\b|ident(?:ifier|ification)\b|#)|"
    r"(?:medical|hospital|clinic|patient)[ ]record|case[ \-]?notes?|old[ ]notes|patient[ ]id(?:entifier)?|"
    r"(?:hospital|patient|pt)[ ]id|pid|"
    r"u\.?r\.?n\.?|uhid|chi(?:[ ]no\b\.?|[ ]number)|ssn|passport|passaporte|"
    r"nhs(?:[ ](?:no\b\.?|number))?|pront(?:u[áa]rio|\.)?(?:[ ](?:eletr[ôo]nico|m[ée]dico|f[íi]sico|hospitalar|d[oea]"
    r"(?:[ ]paciente|[ ]hospital)?|[úu]nico|antigo))?|rghc|"
    r"matr[íi]cula|(?:n\.?[ºo°]|n[úu]mero|num|c[óo]d(?:igo)?)\.?[ ](?:d[oae][ ])?(?:prontu[áa]rio|registr?o|"
    r"atendimento|paciente|utente|doente|processo|ficha|cadastro|matr[íi]cula|benefici[áa]rio|carteir(?:a|inha))|"
    r"reg(?:istr?o)?\.?[ ](?:geral|hospitalar|m[ée]dico|cl[íi]nico|interno|hosp\.?)|r\.g\.|(?-i:RH|SAME)|"
    r"ficha(?:[ ](?:cl[íi]nica|m[ée]dica|de[ ]atendimento))?|proc(?:esso)?\b\.?(?:[ ](?:cl[íi]nico|hospitalar|"
    r"[úu]nico))?|carteir(?:a|inha)(?:[ ]d[oe][ ](?:conv[êe]nio|plano))?|cart[ãa]o[ ]"
    r"(?:de[ ]cidad[ãa]o|do[ ]conv[êe]nio)|nif|cadastro)"
)
_WEAK = (
    r"(?P<weak>registr?o|atendimento|registry|registration|reg\.?|r\.?g\.?|ident(?:idade|ity)|id|crm(?:[-/ ][a-z]{2})?|"
    r"hosp(?:ital)?|patient|pt|pcte?|paciente|doente|utente|chart|file|folder|account|acct\.?|hn)"
)
_CARD_LABEL = (
    r"(?P<card>(?:cart[ãa]o[ ](?:d[oe][ ])?(?:sus|nacional[ ]de[ ]sa[úu]de)|cns|c\.n\.s\.|sus(?:[ ]card)?))"
)
_NO_EYE = r"(?!(?:o[deus]|ao|av|va|re|le|pio|iop|r|l|hb|pa|bp|ta|cd|dm|dr)[ ])"  # "prontuário: OD 20/40"
_RECORD_NUMBER = (
    rf"(?P<number>{_NO_EYE}(?:(?<![A-Za-zÀ-ÿ])(?:[A-Z]{{1,4}}[-/]?|(?-i:[A-Zb-df-np-z]|[A-Z]{{2}})[ ]))?"
    r"\d(?:[\d]|[./-](?=\d)|[ ](?=\d{3}(?!\d)(?![.,/]\d))"
    r"|[ ](?=\d{4}(?:[ ]\d{4}){0,3}+(?!\d)(?![.,/]\d)))*+"
    r"(?:[-/ ]?[A-Z](?![^\W_]))?)(?![^\W_])"
)
_RECORD = re.compile(
    rf"(?<![\w/])(?:{_SURE}|{_WEAK}|{_CARD_LABEL})(?<![ ]){_AFTER}{_RECORD_NUMBER}", re.IGNORECASE
)
_RG = re.compile(r"(?<![\d.])\d{1,2}\.\d{3}\.\d{3}-[\dXx](?![\w])")
_CARD = re.compile(r"(?<![\d.,])[12789]\d{2}[ .-]?\d{4}[ .-]?\d{4}[ .-]?\d{4}(?!\d)")
_NHS = re.compile(r"(?<![\d.,/+-])\d{3}[ ]\d{3}[ ]\d{4}(?![\d/-])(?![.,]\d)")
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
    """Numbers after a label of a record or a card."""
    for found in _RECORD.finditer(text):
        if _is_record(text, found):
            yield found.span("number")


def shaped_records(text: str) -> Iterator[tuple[int, int]]:
    """RG numbers by their shape, SUS cards and NHS numbers by their check digits."""
    yield from (found.span() for found in _RG.finditer(text))
    yield from (found.span() for found in _CARD.finditer(text) if is_health_card(found[0]))
    yield from (found.span() for found in _NHS.finditer(text) if is_nhs_number(found[0]))


def _is_record(text: str, match: re.Match[str]) -> bool:
    number: str = match["number"]
    digits = sum(c.isdigit() for c in number)
    if _LOOKS_LIKE_DATE.match(number) and not (match["sure"] and number.isdigit() and digits != 4):
        return False
    if match["card"]:
        return digits >= 11
    if match["sure"]:
        label = match["sure"].casefold()
        if label == "nhs" and "/" in number:  # "NHS 2021/22"
            return False
        return digits >= (4 if label.startswith(_SOMEBODY) else 3)
    return (
        digits >= 4
        and "/" not in number
        and not MEASURED.match(text, match.end())
        and not _NOT_OF_A_PATIENT.search(text, max(0, match.start() - 14), match.start())
    )


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
