"""Tells a name of a disease, a sign, a device, a place or an institute from a person's, by the words beside it.

Eponyms ("Charles Bonnet syndrome"), hospitals ("Jackson Memorial"), saints, towns and streets are named after people;
what stands before or after says so, or the place somebody comes from, lives in or is sent to.
"""

from __future__ import annotations

import re

from client.data.identifier_words import PHRASES, Name, is_given

_THING_AFTER = re.compile(
    r"(?:['’]s?)?[ \t\-]{1,2}(?:(?:\w{1,15}[ \t]){0,1}(?:syndrome|disease|dystrophy|anomaly|phenomenon|"
    r"malformation|"
    r"classification|criteria|nevus|naevus|sign|spots?|pupil|hallucinations?)|"
    r"rings?|lens|chart|test|grid|tonomet\w+|lines?|streaks?|striae|"
    r"membrane|layer|nodules?|lines|sarcoma|palsy|law|ratio|index|formula|field|fields|perimeter|microscope|"
    r"stain|dye|tube|valve|shunt|procedure|operation|technique|method|scale|score|stage|grade|type|reflex|effect|"
    r"retinopathy|maculopathy|neuropathy|vitreoretinopathy|uveitis|corneal|retinitis|choroid\w+|degeneration|"
    r"atrophy|ha?emorrhages?|plaques?|canal|gland|oculus|laser|camera|hospital|hospitals|clinic|centre|center|"
    r"institute|university|infirmary|foundation|school|trust|college|street|st|road|rd|avenue|ave|ward|wing|"
    r"study|trial|"
    r"eye|et[ \t]al|memorial|branch|practice|pharmacy|opticians?|optometry|campus|laborator(?:y|ies)|department|"
    r"building|terrace|airport|bridge|library|(?:medical|health|surgical|cancer|eye)[ \t]cent(?:re|er))\b",
    re.IGNORECASE,
)
_PLACE_BEFORE = re.compile(
    r"(?:\b(?:s[aã]o|santa|santo|st\.?|saint|san|hospital|h\.|hosp\.|cl[ií]nica|instituto|inst\.|funda[cç][aã]o|"
    r"universidade|faculdade|rua|r\.|av\.|avenida|travessa|pra[cç]a|alameda|bairro|jardim|vila|cidade|centro|"
    r"maternidade|posto|ubs|upa|col[eé]gio|escola|laborat[oó]rio|ambulat[oó]rio|university|institute|sala|bloco|lake|"
    r"mount|em|in|at|"
    r"prefeitura|distrito|comarca|rodovia|rodovi[aá]ria|terminal|regional)"
    r"(?:[ \t](?:dom|dona|padre|frei|dr\.?|dra\.?|prof\.?))?|"
    r"\b(?:hospital|cl[ií]nica|instituto|santa casa|munic[ií]pio|cidade|university|city|"
    r"prefeitura|secretaria|distrito|comarca|regi[aã]o|interior|estado|rodovi[aá]ria|associa[cç][aã]o|"
    r"morador(?:a|as|es)?|residentes?|reside|natural|naturais|procedentes?|proced[eê]ncia|origem|oriund[oa]s?|"
    r"provenientes?|domiciliad[oa]|transferid[oa]s?|vind[oa]s?|resident|native|town|village|county|bishop|"
    r"diocese|parish)"
    r"[ \t](?:d[eoa]s?|of))[ \t]{1,2}$",
    re.IGNORECASE,
)
_EPONYM_BEFORE = re.compile(
    r"\b(?:s[ií]ndromes?|doen[cç]as?|sinal|sinais|testes?|an[eé]is|anel|manchas?|estrias?|n[oó]dulos?|corpos?|nevo|"
    r"tabela|carta|escala|lentes?|pregas?|pontos?|fen[oô]meno|classifica[cç][aã]o|ton[oô]metro|m[eé]todo|"
    r"crit[eé]rios?|"
    r"distrofia|anomalia|pupila|placas?|membrana|camada|gl[aâ]ndulas?|canal|"
    r"v[aá]lvulas?|implantes?|tubos?|pin[cç]as?|c[aâ]nulas?|t[eé]cnicas?|procedimentos?|manobras?|protocolos?|"
    r"f[oó]rmulas?|operation|procedure|technique|method|valve|shunt|syndrome|disease|sign)"
    r"[ \t](?:d[eoa]s?|of)[ \t]{1,2}$",
    re.IGNORECASE,
)
_MOVED = re.compile(  # "transferred from Bascom Palmer to", not "letter from"
    r"\b(?:sent|referred|transferred|moved|flown|driven|travell?ed|came|come|repatriated|discharged)"
    r"(?:[ \t](?:on|over|across|down|up|back|here))?[ \t](?:from|to)[ \t]{1,2}$",
    re.IGNORECASE,
)
_TO = re.compile(r"[ \t](?:to|for|via|by)[ \t]", re.IGNORECASE)
_SAINTS = frozenset({"santo", "santa", "sao", "saint"})
_ROYAL = frozenset({"king", "queen", "prince", "princess"})  # "King Edward VII"


def is_a_thing(text: str, name: Name) -> bool:
    """Whether the words are what a disease, a sign, a device, a place or a hospital is called."""
    before = text[max(0, name.start - 32) : name.start]
    whole = name.several and is_given(name.words[0])  # "pupila de Ana Silva": eponyms are surnames
    return (
        " ".join(name.words) in PHRASES
        or " ".join(name.words[:2]) in PHRASES
        or (name.words[0] in _SAINTS and name.several)
        or (name.words[0] in _ROYAL and name.several and is_given(name.words[1]))
        or (not whole and bool(_MOVED.search(before)) and bool(_TO.match(text, name.end)))
        or bool(_THING_AFTER.match(text, name.end))
        or bool(_PLACE_BEFORE.search(before))
        or (not whole and bool(_EPONYM_BEFORE.search(before)))
    )
