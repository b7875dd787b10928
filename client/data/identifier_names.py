"""Finds people's names in clinical text: by what announces them here, and standing alone in identifier_bare.

A title, a label, a role, a relative or a preposition announces a name. What follows is one if it looks like a name and
is none of the clinical and everyday words of `not_names.toml`, since "DR Moderate", "MR -2.00" and "Patient:
Hypertensive" look just like "DR Silva"; the weaker the announcement, the more is asked of the name. Every step is
bounded, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from client.data.identifier_alone import names_alone
from client.data.identifier_bare import bare_names
from client.data.identifier_things import is_a_thing
from client.data.identifier_words import GIVEN_CLINICAL, GIVEN_WORDS, MOST_WORDS, Name, is_no_word, read_name

_TITLE = re.compile(
    r"(?<![\w/])(?<!nossa )(?P<title>dra?s?|doctor|doutora?|profa?|professora?|mrs?|ms|mx|miss|mister|sra?|srta|"
    r"senhora?|senhorita|dona|madame?|enfa?|enfermeir[oa]|nurse|rev|reverend)(?:\(a\)|ª)?(?P<dot>\.)?(?:ª)?"
    r"(?:(?<=[.ª])[ \t\u00a0]{0,3}|[ \t\u00a0]{1,3})(?=\w)",
    re.IGNORECASE,
)
_AMBIGUOUS = frozenset(  # also retinopathy, refraction, subretinal, sclerosis
    {"DR", "MR", "SR", "MS", "ENF", "PROF", "REV"}
)
_CALLED = frozenset({"seu", "tia", "tio", "sister", "brother", "aunt", "uncle", "nurse"})  # "Tia Rosa"
_BY = re.compile(r"\b(?:by|pel[oa]|from|para [oa])\s{1,2}$", re.IGNORECASE)
_OF_A_DOCTOR = re.compile(  # Portuguese: RD is the disease, DR nobody's but a doctor's
    r"\b(?:d[oa]|ao|[aà]|pel[oa]|com(?:[ ][oa])?|n[oa]|(?:para|pra|pro)(?:[ ][oa])?|colega|prezad[oa]|"
    r"car[oa])[ ]{1,2}$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"(?:[aei]u|ou|[aei]ndo|[aei]nte|[ai]d[oa]s?|[ai]r|[aei]m|ing|ed)$"
)  # "dra ciente", "dr pediu"
_SHORT = re.compile(r"(?:dra?s?|profa?|mrs?|ms|sra?|srta|senhora?|enfa?)$", re.IGNORECASE)

_WHOSE = (
    r"(?:(?:patient|mother|father|parent|guardian|physician|doctor|surgeon|examiner|spouse)(?:['’]?s)?|full|"
    r"first|last|"
    r"middle|given|family|maiden|pt\.?)"
)
_DE_QUEM = (
    r"(?:completo|social|civil|(?:d[oa]s?|de)[ \t](?:pac(?:iente|\.)?|m[aã]e|pai|m[eé]dic[oa]|respons[aá]vel|"
    r"acompanhante)|d[oa]\(a\)[ \t]paciente)"
)
_NAME_LABEL = re.compile(
    rf"\b(?:{_WHOSE}[ \t]{{1,2}}names?(?:\(s\))?|surname|forenames?(?:\(s\))?|prenome|sobrenome|"
    r"name[ \t]of(?:[ \t]the)?\s{1,2}(?:patient|child|mother|father|client|insured)|"
    r"(?:patient|personal)[ \t](?:details|data|information|demographics)(?=[ \t]{0,3}[:\n])|"
    r"(?:dados|identifica[çc][ãa]o)(?:[ \t](?:d[oa][ \t]paciente|pessoais))(?=[ \t]{0,3}[:\n])|"
    rf"nome[ \t]{{1,2}}{_DE_QUEM}|(?P<plain>name|nome))"
    r"(?P<mark>[ \t]{0,3}[:=][ \t]{0,4}\n?[ \t]{0,4}|[ \t]{0,3}\n[ \t]{0,4}|[ \t]{2,8}|[ \t]{1,3}[-–][ \t]{1,3}|"
    r"[ \t]{1,3}(?:is[ \t]|é[ \t])?)",
    re.IGNORECASE,
)
_THINGS = re.compile(
    r"\b(?:drug|brand|file|device|image|photo|trade|generic|medication|lens|camera|product|study|clinic|test|user)"
    r"[ \t]{1,2}$",
    re.IGNORECASE,
)
_ROLES = (
    r"physician|doctor|surgeon|examiner|attending|ophthalmologist|optometrist|optician|technician|photographer|"
    r"operator|"
    r"consultant|registrar|resident|fellow|grader|orthoptist|cardiologist|endocrinologist|nephrologist|neurologist|"
    r"interpreter|clinician|practitioner|pharmacist|gp|secretary|"
    r"m[eé]dic[oa](?:[ \t](?:respons[aá]vel|assistente|solicitante))?|oftalmologista|cirurgi[aã]o?|examinadora?|"
    r"t[eé]cnic[oa](?:[ \t]de[ \t]enfermagem)?|tecn[oó]log[oa]|ortoptista|cardiologista|endocrinologista|residente|"
    r"fot[oó]graf[oa]|auxiliar|estagi[aá]ri[oa]|preceptora?|plantonista|int[eé]rprete"
)
_RELATIVES = (
    r"(?:grand|step)?(?:mother|father|son|daughter)|mum|mom|dad|parents?|wife|husband|sister|brother|aunt|uncle|"
    r"cousin|"
    r"niece|nephew|spouse|partner|carer|caregiver|guardian|neighbou?r|friend|"
    r"m[aã]e|pai|esposa|esposo|marido|mulher|filh[oa]|irm[aã]o?|ti[oa]|av[óôo]|vov?[óô]|net[oa]|sobrinh[oa]|"
    r"prim[oa]|"
    r"cunhad[oa]|sogr[oa]|genro|nora|companheir[oa]|noiv[oa]|namorad[oa]|padrasto|madrasta|c[oô]njuge|cuidadora?|"
    r"amig[oa]|vizinh[oa]|acompanhante|respons[aá]vel"
)
_PERSON_LABEL = re.compile(
    rf"\b(?:patient|pt|pcte?|pac|paciente|client|cliente|utente|doente|filia[cç][aã]o|referring|requested|by|"
    rf"por|from|cc|reviewed|checked|graded|read|reported|dictated|examined|verified|laudo|"
    rf"nurse|contato|contact|tech|benefici[áa]ri[oa]|titular|segurad[oa]|dependente|insured|subscriber|"
    rf"policy[ ]?holder|"
    r"member|holder|claimant|applicant|declarante|requerente|informante|solicitante|executante|prescriber|provider|"
    r"photog|assistant|assistente|instrumentadora?|circulante|an[ae]?esth?etist|anestesista|author|autora?|enf|"
    r"t[ée]c|"
    rf"signed|signature|assinatura|ass\.?|attn|att|a/c|{_ROLES}|{_RELATIVES})"
    r"(?:\.?[ \t]{0,2}:[ \t]{0,4}\n?[ \t]{0,4}|(?P<spaces>[ \t]{2,8})(?-i:(?=[A-ZÀ-Ý])))",
    re.IGNORECASE,
)
_DONE_BY = re.compile(
    r"\b(?:signed|reported|examined|referred|dictated|reviewed|seen|photographed|graded|evaluated|performed|"
    r"interpreted|"
    r"written|entered|verified|assinad[oa]|laudad[oa]|examinad[oa]|encaminhad[oa]|solicitad[oa]|avaliad[oa]|"
    r"atendid[oa]|"
    r"realizad[oa]|acompanhad[oa]|revisad[oa]|digitad[oa])[ \t]{1,2}(?:by|por|"
    r"pel[oa])(?P<mark>[ \t]{0,2}:)?[ \t]{1,3}",
    re.IGNORECASE,
)
_PATIENT = re.compile(
    r"\b(?:patient|paciente|pcte?|pte|pt|pac|client|cliente|utente|doente)\.?[ \t]{1,2}(?=\w)", re.IGNORECASE
)
_SOMEBODY = re.compile(  # a weaker announcement: of these, many are followed by other things
    rf"(?<![\w'’\-])(?:(?:(?P<kin>{_ROLES}|nurse|seu|{_RELATIVES}))(?:[ \t](?:of|de|da|do)|,|"
    r"[ \t]?\([^()\n]{1,20}\))?|"
    r"about|informed|this is|trata-se d[eoa]|avisei|revist[oa]|aguardando|awaiting|verified|"
    r"sir|master|thank you|signature|assinatura|from|to|for|with|com|ao|informad[oa][ \t][aà]|"
    r"father|fr\.?|pastor|padre|frei|dom|don|"
    r"(?:i|we)[ \t](?:have[ \t])?(?:saw|seen|reviewed|examined|met)|referring|for seeing|contact|next of kin|"
    r"(?:atendi|avaliei|examinei|encaminho|oriento|orientad[oa]|solicito|oriente[im])|"
    r"(?:avalia[cç][aã]o|exames?|consulta|retorno|prontu[aá]rio|caso|resultados?|hist[oó]ria|visita|ficha|"
    r"fotos?|imagens|retinografia|carta|"
    r"em favor)[ \t]d[eoa]|"
    r"(?:mrn|prontu[aá]rio|pront\.?|registro)[ \t:#.nº]{0,4}[\d./\-]{3,14}[,;]?(?:[ \t][\-–])?|re:|ref\.?:|"
    r"by|pel[oa]|por|c/o|a/c|cc|attn|dear|prezad[oa]|car[oa]|regards|sincerely|thanks|yours|faithfully|"
    r"atenciosamente|att|cordialmente|atte|signed|assinado|named|called|chamad[oa]|behalf of|care of|"
    r"cuidados d[eoa]|em nome d[eoa]|"
    r"(?:copy|report|carta|c[oó]pia|laudo|refer(?:red|ral|s)?|photographs?|photos?|images?|letter|transferred|"
    r"handed over|results?|encaminh\w{1,8})"
    r"[ \t](?:to|from|for|of|a|ao|[aà]|d[eoa]|para(?:[ \t][oa])?)|"
    r"(?:seen|sp(?:oke|oken|eak)|discussed|talked|met|explained|given|sent|contato|conversad[oa]|conversei|"
    r"discutid[oa]|discuti|came|attends?|attended|"
    r"accompanied|lives|here|veio|vem|comparece|mora|acompanhad[oa])[ \t](?:with|to|by|com|por|pel[oa])|"
    r"acompanhad[oa] d[eoa]|coletad[oa] d[eoa])"
    r"[,:]?(?:[ \t]{1,3}|[ \t]{0,2}\n[ \t]{0,4})(?:(?:[oa]|his|her|the)[ \t])?(?=[^\W\d_])",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[ \t]{0,2}(?:[,.;()\n\d\-–/|]|$)|['’]s\b")
_NEXT_LINE, _LINE_ENDS = re.compile(r"[ \t]{0,3}\r?\n[ \t]{0,8}"), re.compile(r"[ \t]{0,3}(?:\r?\n|$)")
_GOES_ON = re.compile(r"[ \t]{1,2}[a-zà-ÿ]")
_CARRIES_ON = re.compile(r"[ \t]{1,2}[^\W\d_](?<=[^\W\d_A-Z])|[ \t]{0,2}[,(]|['’]s\b")


def find_names(text: str) -> list[tuple[int, int]]:
    """Start and end of every name, in order; where two searches found parts of one, the whole of it."""
    lower = text.casefold()
    found = [*bare_names(text), *names_alone(text)]
    for search, words in _SEARCHES.items():
        if any(word in lower for word in words):
            found += search(text)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _after_titles(text: str) -> Iterator[tuple[int, int]]:
    for found in _TITLE.finditer(text):
        title, start = found["title"], found.end()
        ambiguous = title in _AMBIGUOUS
        lower = bool(_SHORT.match(title)) and (
            bool(found["dot"])
            or title.lower() in ("dra", "sra", "srta", "mrs", "mr")
            or bool(_BY.search(text, max(0, found.start() - 12), found.start()))
            or bool(_OF_A_DOCTOR.search(text, max(0, found.start() - 12), found.start()))
        )
        name = read_name(
            text, start, beside_title=not ambiguous, lower=not title.isupper(), particles=not ambiguous
        )
        if name and not (ambiguous and name.looks_clinical) and _fits_title(text, name, lower):
            yield start, name.end


def _fits_title(text: str, name: Name, lower: bool) -> bool:
    """Whether a name in lower case, or after a small "da", can be one. lower: the title means nothing else."""
    written = text[name.start : name.end]
    if written.islower():
        sure = (
            lower and not written.startswith(("de ", "do ", "da ", "e ")) and not _VERB.search(name.words[-1])
        )
        return sure or name.known
    return (
        written[0].isupper()
        or name.known
        or name.several
        or not written.startswith(("de ", "do ", "da ", "e "))
    )


def _after_name_labels(text: str) -> Iterator[tuple[int, int]]:
    for found in _NAME_LABEL.finditer(text):
        labelled, start = bool(found["mark"].strip(" ")) or len(found["mark"]) > 1, found.end()
        if found["plain"] and _THINGS.search(text, max(0, found.start() - 16), found.start()):
            continue
        name = read_name(text, start, beside_title=True, lower=labelled, words=MOST_WORDS)
        marked = bool(found["mark"].strip())
        if not name or (found["plain"] and not marked and not (name.several or name.known)):
            continue
        comma = re.compile(r",[ \t]{0,2}").match(text, name.end)
        given = read_name(text, comma.end()) if comma and " " not in text[start : name.end] else None
        yield start, given.end if given else _over_lines(text, name)


def _after_person_labels(text: str) -> Iterator[tuple[int, int]]:
    for found in _PERSON_LABEL.finditer(text):
        name = _read(text, found.end())
        if name is None:
            continue
        end = _over_lines(text, name)
        alone = not found["spaces"] and _ENDS.match(text, name.end) and not name.looks_clinical
        if name.several or end > name.end or alone:
            yield found.end(), end


def _over_lines(text: str, name: Name) -> int:
    """Where a name ends whose rest can stand alone on the next line."""
    gap = _NEXT_LINE.match(text, name.end)
    rest = read_name(text, gap.end(), beside_title=True, strict=True, particles=True) if gap else None
    if (
        rest is None
        or rest.upper != name.upper
        or len(rest.words) > 3
        or not _LINE_ENDS.match(text, rest.end)
    ):
        return name.end
    likely = all(map(is_no_word, rest.words)) and not rest.looks_clinical
    return rest.end if rest.known or (likely and not name.several) else name.end


def _after_done_by(text: str) -> Iterator[tuple[int, int]]:
    for found in _DONE_BY.finditer(text):
        name = _read(text, found.end())
        if name and (found["mark"] or name.several or name.known):
            yield found.end(), name.end


def _after_patient(text: str) -> Iterator[tuple[int, int]]:
    for found in _PATIENT.finditer(text):
        name = _read(text, found.end())
        if not name or is_a_thing(text, name):
            continue
        alone = not name.upper and not name.looks_clinical and _CARRIES_ON.match(text, name.end)
        if name.several or name.known or alone:
            yield found.end(), name.end


def _after_somebody(text: str) -> Iterator[tuple[int, int]]:
    for found in _SOMEBODY.finditer(text):
        kin = found["kin"] or ""
        called = kin.islower() or kin.lower() in _CALLED
        name = _read(text, found.end(), strict=True, alone=called)
        if not name or is_a_thing(text, name):
            continue
        alone = kin and not name.upper and (_CARRIES_ON if called else _GOES_ON).match(text, name.end)
        if name.known or (name.several and not name.upper) or alone:
            yield found.end(), name.end


def _read(text: str, start: int, *, strict: bool = False, alone: bool = False) -> Name | None:
    """The name at a place where one is announced.

    A given name that is also a word counts before a surname, or alone where the announcement allows it.
    """
    name = read_name(text, start, strict=strict)
    if name is None:
        name = read_name(text, start, beside_title=True, strict=strict)
        if name and not (
            (name.several or alone) and (name.words[0] in GIVEN_WORDS or name.words[0] in GIVEN_CLINICAL)
        ):
            return None
    return name


# Each search, and letters of which some stand in every text that it could find anything in.
_SEARCHES: Mapping[Callable[[str], Iterator[tuple[int, int]]], tuple[str, ...]] = {
    _after_titles: (
        "dr",
        "dou",
        "doc",
        "pro",
        "mr",
        "ms",
        "mx",
        "mi",
        "sr",
        "sen",
        "don",
        "mad",
        "enf",
        "nur",
        "rev",
    ),
    _after_name_labels: ("name", "nome"),
    _after_person_labels: (":", "  "),
    _after_done_by: (" by", "\tby", "por", "pel"),
    _after_patient: ("pa", "pc", "pt", "client", "utente", "doente"),
    _after_somebody: ("",),
}
