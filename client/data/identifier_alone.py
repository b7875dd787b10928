"""Finds names that stand alone or in lower case where somebody signs, tells, is called, or is said to be of kin.

"Thanks, Farah", "Emeka tells me", "avisar Ivone no 3811 5734", "infant of ximena zhou", "s/w arjun wood (grandson)".
What stands around says that it is a person; in lower case some word must be a frequent name besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from client.data.identifier_things import is_a_thing
from client.data.identifier_words import (
    GIVEN_CLINICAL,
    GIVEN_WORDS,
    WORD,
    Name,
    bare,
    can_be_given,
    is_given,
    is_no_word,
    is_surname,
    looks_clinical,
    read_name,
    shorter_and_shorter,
)

_ALSO_GIVEN = GIVEN_WORDS | GIVEN_CLINICAL
_KIN = (
    r"(?:(?:great[ \-]?)?(?:grand|step|god)?(?:mother|father|son|daughter|child|parent)s?(?:[ \-]in[ \-]law)?|mum|"
    r"mom|dad|wife|"
    r"husband|sister|brother|aunt|auntie|uncle|cousin|niece|nephew|spouse|partner|carer|caregiver|guardian|"
    r"neighbou?r|"
    r"friend|m[ãa]e|pai|espos[oa]|marido|mulher|filh[oa]|irm[ãa]o?|ti[oa]|av[óôo]|vov?[óô]|(?:bis)?net[oa]|"
    r"sobrinh[oa]|prim[oa]|"
    r"cunhad[oa]|sogr[oa]|genro|nora|companheir[oa]|noiv[oa]|namorad[oa]|padrasto|madrasta|entead[oa]|cuidadora?|"
    r"amig[oa]|vizinh[oa]|acompanhante|respons[áa]vel)"
)
_SIGNED = re.compile(
    r"\b(?:abra[çc]os?|abs|att|atte|atenciosamente|cordialmente|grat[oa]|obrigad[oa]|obg|bj(?:o?s)?|beijos?|"
    r"saudações|"
    r"thanks|thank you|thx|cheers|(?:kind(?:est)?|best|warm|many)?[ ]?(?:regards|wishes|thanks)|best|sincerely|"
    r"faithfully|"
    r"yours|ass(?:inado|\.)|signed|sgd)[,.!;:]{0,2}(?:[ \t]{1,3}|[ \t]{0,3}[\-–]{1,2}[ \t]{0,3}|"
    r"[ \t]{0,3}(?:\r?\n[ \t]{0,3}){1,3})(?=[^\W\d_])",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"\b(?:(?:known|registered|addressed|referred to|listed|admitted|booked)[ \t]as|goes by|a\.?k\.?a\.?|"
    r"prefers(?: to be called)?|"
    r"conhecid[oa][ \t](?:como|por)|registrad[oa][ \t]como|cadastrad[oa][ \t]como|chama-se|me chamo|meu nome [ée]|"
    r"my name is|"
    r"(?P<weak>aqui [ée](?: [oa])?|(?:quem fala [ée]|sou)(?: [oa])|this is|here is|i am|i['’]m|"
    r"list[^.\n]{1,20} with|s/w|d/w|c/o|spoke w/|disc(?:ussed)? w/|seen w/|w/)|(?:se chama|apelido|"
    r"alcunha)(?:[ \t][ée])?|"
    r"avis[ae]r?|avisei|chamar|chamei|falar com|falei com|ligar (?:para|pra)|liguei (?:para|pra)|lembrar|"
    r"pedir (?:[aà]|ao|para|pra)|"
    r"perguntar (?:[aà]|ao|para|pra)|confirmar com|combinar com|agradecer (?:[aà]|ao)|"
    r"ring|call|tell|ask|remind|notify|inform|speak to|spoke to|spoken to|contact|thank|"
    r"check with)[:,]?[ \t]{1,3}(?:(?:[oa]|her|his|my|meu|minha|seu|sua)[ \t]|"
    rf"(?:[oa][ \t]|her[ \t]|his[ \t])?{_KIN}[ \t])?(?=[^\W\d_])",
    re.IGNORECASE,
)
_WHOSE = re.compile(
    rf"\b(?:{_KIN}(?:[ \t](?:of|d[eoa]))?|(?:infant|baby|babe|newborn|twins?|child|b/o|s/o|d/o|w/o|rn|r\.n\.|"
    rf"beb[êe]|rec[ée]m[ -]nascid[oa])"
    r"(?:[ \t](?:of|d[eoa]|boy|girl))?|patient|pt|pct?e?|pac|paciente|client|cliente|seu|(?P<titled>dona|dna\.?|"
    r"senhora?|sra?\.?)|"
    r"cancel|book|rebook|list|recall|marcar|remarcar|cancelar|para[ \t][oa]|pr[oa])[,:]?[ \t]{1,3}(?=[^\W\d_])",
    re.IGNORECASE,
)
_KIN_AFTER = re.compile(
    rf"[ \t]{{0,2}}[(\[,–-][ \t]?(?:(?:[oa]|her|his|the|sua|seu|pt['’]?s)[ \t])?{_KIN}\b", re.IGNORECASE
)
_TELLS = re.compile(
    r"[ \t]{1,2}(?:(?:tells?|told)[ \t](?:me|us)|(?:says?|said|thinks|thought|believes|feels|knows|admits|insists|"
    r"explains|"
    r"explained|worries|wonders|complains|mentions|mentioned|describes|remembers|recalls|swears|hopes|fears|denies|"
    r"claims|reckons|understands|agrees|agreed)[ \t](?:that|he|she|they|it|the|her|his|there|this|of|about|with|"
    r"to|no)\b|"
    r"(?:tells|struggles|copes|enjoys|lives|works|drives|smokes|worries|asked|wants|wishes|phoned|rang|texted|"
    r"emailed|called|"
    r"wrote|thanked|apologised|attended|returned)\b|(?:is|was|felt|feels)[ \t](?:very[ \t]|so[ \t]|"
    r"quite[ \t])?(?:happy|keen|pleased|"
    r"delighted|worried|anxious|upset|reluctant|unable|grateful|adamant|aware)\b|"
    r"(?:diz|disse|conta|contou|acha|achou|fala|falou|sabe|sente|sentiu|acredita|jura|lembra|refere|referiu|"
    r"relata|relatou|"
    r"nega|negou|queixa|reclama|reclamou|pergunta|perguntou|pede|pediu|quer|mandou|ligou|escreveu|mora|toma|avisou|"
    r"esqueceu|perdeu|compareceu|faltou|chora|chorou|agradece|agradeceu)\b)",
    re.IGNORECASE,
)
_STARTS = re.compile(r"(?:\A|[.!?;:\n–-])[ \t]{0,3}[\"“'(]?$")
_CLOSES = re.compile(r"[ \t]{0,2}(?:[.!,;]?[ \t]{0,2}(?:\n|$)|[.!])")
_PAUSES = re.compile(
    r"[ \t]{0,2}(?:[.,;:)\n\d(]|$)|[ \t](?:no|na|on|at|em|pelo|pela|via|by|para|pra|to|about|sobre|[aà]s?|ao|por|"
    r"at[ée]|later|again|direto|amanh[ãa]|hoje|"
    r"tomorrow|today|"
    r"back|please|se|if|when|quando|que|that|e|and|ou|or|with|com|for|antes|before|after|depois)\b"
)
_ONCE = re.compile(r"[.,;)\n]|[ \t]{0,2}$")
_PRONOUNS = frozenset(
    {"i", "he", "she", "it", "they", "who", "ela", "ele", "eles", "elas", "voce", "nos", "quem"}
)
_INNER_CAPITAL = re.compile(r"\w{0,3}[a-zà-ÿ][A-ZÀ-Ý]\w?$")  # "SpR"


def names_alone(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of names that stand alone or in lower case, search by search."""
    for found in _SIGNED.finditer(text):
        yield from _spans(_signature(text, found.end()))
    for found in _CALLED.finditer(text):
        yield from _spans(_called(text, found.end(), sure=found["weak"] is None))
    for found in _WHOSE.finditer(text):
        yield from _spans(_lower(text, found.end(), titled=found["titled"] is not None))
    yield from _before_acts(text)


def _spans(name: Name | None) -> Iterator[tuple[int, int]]:
    if name:
        yield name.start, name.end


def _signature(text: str, start: int) -> Name | None:
    """A name that ends its line, or the text."""
    name = _capitalised(text, start) or _lower(text, start)
    return name if name and _CLOSES.match(text, name.end) else None


def _called(text: str, start: int, *, sure: bool) -> Name | None:
    name = _capitalised(text, start)
    if name is None:
        return _lower(text, start)
    first = name.words[0]
    known = name.known or (first in GIVEN_WORDS and is_no_word(first) and bool(_CLOSES.match(text, name.end)))
    return name if (known or sure) and (name.several or _PAUSES.match(text, name.end)) else None


def _capitalised(text: str, start: int) -> Name | None:
    """One to three words that nothing says are others: capitalised, not all capitals."""
    name = read_name(text, start, beside_title=True, strict=True)
    if (
        name is None
        or not text[start].isupper()
        or name.upper
        or len(name.words) > 4
        or is_a_thing(text, name)
    ):
        return None
    first = name.words[0]
    likely = is_given(first) or first in _ALSO_GIVEN or (is_no_word(first) and not looks_clinical(first))
    odd = len(first) < 3 or _INNER_CAPITAL.fullmatch(text, name.start, name.end)
    return name if likely and not odd else None


def _lower(text: str, start: int, *, titled: bool = False) -> Name | None:
    """A name in lower case: one frequent given name, or several words of which some is a frequent name.

    titled: a given name that is also a word counts alone.
    """
    if not text[start : start + 1].islower():
        return None
    for name in shorter_and_shorter(text, start):
        words = len(name.words)
        if is_a_thing(text, name):
            continue
        if _likely(name) or (
            titled and words == 1 and name.words[0] in GIVEN_WORDS and is_no_word(name.words[0])
        ):
            return name
    return None


def _likely(name: Name) -> bool:
    first, rest = name.words[0], name.words[1:]
    if not rest:
        return is_given(first)
    known = [is_given(word) or is_surname(word) for word in rest]
    if is_given(first) or (first in GIVEN_WORDS and is_no_word(first)):
        return known[-1] or (len(rest) == 1 and len(rest[0]) > 2) or (len(rest) == 2 and known[0])
    return is_surname(rest[-1]) and (is_no_word(first) or first in _ALSO_GIVEN)


def _before_acts(text: str) -> Iterator[tuple[int, int]]:
    """Names at the start of a sentence before a verb of telling, and names before a word of kin."""
    done, kin = 0, bool(_KIN_AFTER.search(text))
    for word in WORD.finditer(text):
        start, written = word.span()[0], word[0]
        if start < done or len(written) < 3:
            continue
        if written.islower():
            name = _lower_before_acts(text, word) or (_lower_before_kin(text, start) if kin else None)
        else:
            name = _capitalised_before_acts(text, word)
        if name:
            yield name.start, name.end
            done = name.end


def _capitalised_before_acts(text: str, word: re.Match[str]) -> Name | None:
    start = word.start()
    if (
        not _TELLS.match(text, word.end())
        or word[0].isupper()
        or not _STARTS.search(text, max(0, start - 5), start)
    ):
        return None
    name = _capitalised(text, start)
    return name if name and name.words[0] not in _PRONOUNS else None


def _lower_before_acts(text: str, word: re.Match[str]) -> Name | None:
    """`lourdes diz que` at the start of a sentence."""
    start, plain = word.start(), bare(word[0])
    if not can_be_given(plain) or not _TELLS.match(text, word.end()):
        return None
    begins = _STARTS.search(text, max(0, start - 5), start)
    return Name(start, word.end(), (plain,), upper=False) if begins else None


def _lower_before_kin(text: str, start: int) -> Name | None:
    """`arjun wood (grandson)`."""
    word = WORD.match(text, start)
    name = _lower(text, start) if word and can_be_given(bare(word[0])) else None
    return name if name and name.several and _KIN_AFTER.match(text, name.end) else None
