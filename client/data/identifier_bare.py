"""Finds people's names that nothing announces: a frequent given name or surname, or a person's act beside the name.

"Maria da Silva comparece", "SMITH, John", "seen with J. Okafor", "Wei Zhang reports floaters". A frequent name counts
with a second word that can be a name; two words of no list count where what follows is only said of a person. Eponyms
("Charles Bonnet syndrome"), hospitals, saints and streets are named after people, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from client.data.identifier_things import is_a_thing
from client.data.identifier_words import (
    GIVEN,
    GIVEN_CLINICAL,
    GIVEN_WORDS,
    PARTICLES,
    WORD,
    Name,
    bare,
    can_be_given,
    can_begin,
    is_given,
    is_no_word,
    is_surname,
    read_name,
    shorter_and_shorter,
)

_ALSO_GIVEN = GIVEN_WORDS | GIVEN_CLINICAL
_HAS = r"(?:was|is|has been|had been|will be|being|were|are)[ \t](?:\w{1,12}ly[ \t]|not[ \t]|again[ \t]|also[ \t])?"
_IS_A = (
    r"an?[ \t](?:\d{1,3}|pleasant|patient|known|man|woman|lady|gentleman|diabetic|retired|smoker|teacher|farmer|"
    r"driver|"
    r"nurse)"
)
_ACTS = (
    rf"{_HAS}(?:seen|examined|referred|dilated|admitted|photographed|reviewed|screened|diagnosed|advised|called|"
    rf"informed|"
    r"counsell?ed|accompanied|brought|born|booked|discharged|told|asked|warned|treated|scheduled|known|followed|"
    rf"cooperative|diabetic|hypertensive|pregnant|aged|married|retired|happy|anxious|keen|due|here|blind|{_IS_A})\b"
    r"|(?:did|does|could|can|would|will|should|must)(?:[ \t]not|n['’]t)?[ \t](?:attend|return|see|come|be seen|"
    r"call|"
    r"tolerate|need|have|bring|phone|review|take|consent|agree|want)\b"
    r"|has[ \t](?:\w{1,10}[ \t])?(?:had|been|diabetes|type|hypertension|not|noticed|complained|glaucoma|cataracts?|"
    r"worn|worked|missed|lost|never)\b|had[ \t](?:laser|two|her|his|cataract|injections?)\b|(?:who|whose)\b"
    r"|could[ \t](?:not[ \t])?(?:read|see|count|be)\b|(?:and|e)[ \t](?:his|her|wife|husband|esposa|marido|filh)|"
    r"lost to\b|c/o\b"
    r"|(?:reports?|reported|denie[sd]|complains?|complained|presents?|presented|attend(?:s|ed)|return(?:s|ed)|"
    r"states?|"
    r"stated|came|comes|arrived|arrives|lives|works|takes|uses|wears|underwent|missed|phoned|asked|asks|wants|"
    r"wishes|"
    r"refused|declined|agreed|agrees|consented|feels|felt|says|said|told|thinks|tolerated|signed|reviewed|"
    r"examined|failed|"
    r"needs|graded|dictated|performed|explained|discussed|accompanied|called|drove|noticed|recommends?|advised|"
    r"referred|requested|confirmed|interpreted|dilated|photographed|brought|seen|attending|presenting|"
    r"complaining|saw|"
    r"rang|met|gave|got|went|spoke|speaks|sees|reads?|left|chose|opted|mentioned|described|experienced|"
    r"completed|received|"
    r"checked|measured|instilled|administered|suffers|suffered|drives|smokes|drinks|prefers|hopes|likes|cannot|"
    r"recorded)\b"
)
_ATOS = (
    r"(?:n[aã]o[ \t])?(?:se[ \t])?(?:compareceu|comparece|refer(?:e|iu|ia)|relat(?:a|ou|ava)|neg(?:a|ou|ava)|"
    r"queix(?:a|ou|ava)(?:-se)?|retorn(?:a|ou|ará)|veio|vem|chegou|chega|apresent(?:a|ou|ava)(?:-se)?|"
    r"solicit(?:a|ou)|"
    r"inform(?:a|ou)|procur(?:a|ou)|realizou|realiza|aceit(?:a|ou)|recus(?:a|ou)|assinou|disse|diz|ped(?:e|iu)|"
    r"traz|trouxe|deseja|aguarda|sente|sentiu|conta|contou|falt(?:a|ou)|mora|reside|trabalha|usa|usava|toma|fuma|"
    r"deve|dever[aá]|precisa|possui|nasceu|avali(?:a|ou)|examin(?:a|ou)|orient(?:a|ou)|encaminh(?:a|ou)|laudou|"
    r"indic(?:a|ou)|prescreveu|observ(?:a|ou)|acompanh(?:a|ou)|volt(?:a|ou)|permanece|evolui(?:u)?|perdeu|percebeu|"
    r"notou|segue|ciente|consultou|operou|fez|faz|liga|sabe|acorda|ouve|fala|vive|bebe|come|faleceu|"
    r"(?!mostr|revel|evidenci|demonstr|result|aument|diminu|melhor|pior|fic|surg|ocorr|caus|progred|desapar|"
    r"aparec|cresc|"
    r"permit|sugeri|confirm|identific|document|registr)[a-zà-ú]{2,14}(?:ou|eu|iu))\b"
    r"|(?:n[aã]o[ \t])?(?:tem[ \t](?:\d|diabetes|hist|queixa)|foi[ \t](?:atendid|examinad|encaminhad|avaliad|"
    r"submetid|"
    r"orientad|internad|operad|diagnosticad|consultad|fotografad|vist[oa]|acompanhad|liberad|agendad)|"
    r"est[aá][ \t](?:em[ \t](?:uso|acomp|trat)|bem|ciente|gr[aá]vida|acompanhad)|"
    r"[eé][ \t](?:diab[eé]tic|hipertens|portador|acompanhad|um[a]?[ \t]|"
    r"paciente|filh|natural|aposentad|tabagista|gestante|fumante|m[ií]ope|m[ãa]e|pai))"
)
_PERSON_AFTER = re.compile(
    rf"(?:[ ]\(\d{{1,3}}\)|,[ ](?:aged[ ])?\d{{1,3}},|,?[ ]who)?[ \t]{{1,2}}(?:{_ACTS}|{_ATOS})"
    r"|[ \t]{0,2}[,(\-–]?[ \t]{0,2}(?:(?:an?|the|o|a|uma?)[ \t])?(?:(?:aged?|idade|com|de)[ \t])?[1-9]?\d[ \t\-]?"
    r"(?:y/?o?\b|yrs?\b|years?\b|anos?\b|[amf]\b)"
    r"|[ \t]{0,2}\r?\n[ \t]{0,3}(?:d\.?o\.?b|date of birth|born|data de nasc|d\.?n|nasc)\b"
    r"|,?[ \t]{1,2}(?-i:M\.?D|Ph\.?D|RN|DO|MBBS|FRC\w+|NP|PA-C|COA|COT|CRA|DNB|CRM|COREN)\b"
    r"|[ \t]{0,2}[,;(\-–]?[ \t]{0,2}(?:d\.?o\.?b|d\.?n|born|nascid[oa]|mrn|cpf|rg|prontu[aá]rio|pront|nhs|tel|"
    r"phone|"
    r"celular|cel|fone|m[aã]e d[eoa]|filh[oa] d[eoa]|(?:wife|husband|son|daughter|mother|father) of)\b"
    r"|,[ \t](?:an?[ \t](?:retired|pleasant|known|diabetic|\d\d)|diab[eé]tic[oa]?|hypertensive|hipertens[oa]|"
    r"aposentad[oa]|retired|natural d[eoa]|portadora?|tabagista|smoker|married|casad[oa]|solteir[oa]|"
    r"vi[uú]v[oa]|acompanhad[oa]|"
    r"accompanied|wife|husband|esposa|marido|m[aã]e|pai|daughter|filh[oa]|male|female|masculino|feminin[oa]|sexo)\b"
    r"|['’]s?[ \t](?:mother|father|wife|husband|son|daughter|eyes?|vision|left|right|gp|doctor|family|carer|"
    r"consent)\b",
    re.IGNORECASE,
)
_PERSON_BEFORE = re.compile(r"\b(?:with|to|by|called|named|com|por|pel[oa])[ \t]{1,2}$", re.IGNORECASE)
_COMMA = re.compile(r",[ \t]{1,2}")
_INITIAL_AFTER = re.compile(r"[ \t](?:[^\W\d_a-zà-ÿ]\.[ ]?){1,3}")
_LINE_STARTS = re.compile(r"(?:\A|\n|[.;:][ \t])[ \t]{0,2}$")
_ENDS = re.compile(r"[ \t]{0,2}(?:[.;,(\n\d\-–]|$)")
_GOES_ON = re.compile(r"[ \t]{1,2}[a-zà-ÿ]")
_IN_A_SENTENCE = re.compile(r"(?:[a-zà-ÿ],?|&)[ \t]{1,2}$")


def bare_names(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of names that nothing announces, in order."""
    done = 0
    for word in WORD.finditer(text):
        start, written = word.span()[0], word[0]
        if start < done:
            continue
        if written.islower():
            end = _in_lower_case(text, start) if can_be_given(bare(written)) else 0
        else:
            begins = can_begin(written, text[word.end() : word.end() + 1])
            end = _beginning(text, start) if begins else _beginning_a_line(text, start, written)
        if end:
            yield start, end
            done = end


def _beginning(text: str, start: int) -> int:
    """Where the name ends that begins at a capitalised word, or 0 where none does."""
    name = read_name(text, start, beside_title=True, strict=True)
    if name is None:
        return 0
    end = _after_comma(text, name) or _end(text, name)
    return 0 if end and is_a_thing(text, name) else end


def _beginning_a_line(text: str, start: int, written: str) -> int:
    """The end of `DA SILVA, MARIA` or `J Okafor` at the start of a line or sentence, or 0."""
    if not written[0].isupper() or not _LINE_STARTS.search(text, max(0, start - 5), start):
        return 0
    name = read_name(text, start, beside_title=True, strict=True)
    if name is None or is_a_thing(text, name):
        return 0
    if len(written) == 1:
        end = (
            _end(text, name)
            if name.initials and (_acts(text, name) or not _GOES_ON.match(text, name.end))
            else 0
        )
        return end
    return _after_comma(text, name) if bare(written) in PARTICLES else 0


def _after_comma(text: str, name: Name) -> int:
    """The end of `Smith, John`, or 0."""
    comma = _COMMA.match(text, name.end)
    if not comma or len(name.words) > (3 if name.upper else 2):
        return 0
    given = read_name(text, comma.end(), beside_title=True, strict=True)
    if not given or len(given.words) > 3:
        return 0
    first = given.words[0]
    alone = _LINE_STARTS.search(text, max(0, name.start - 3), name.start)
    if is_given(first):
        counts = is_surname(name.words[-1]) or name.upper or bool(alone and _ENDS.match(text, given.end))
    else:
        likely = (
            alone
            and name.upper
            and given.upper
            and _ENDS.match(text, given.end)
            and all(map(is_no_word, name.words))
        )
        counts = first in _ALSO_GIVEN and (is_surname(name.words[-1]) or bool(likely))
    return given.end if counts or (alone and _acts(text, given)) else 0


def _end(text: str, name: Name) -> int:
    counts = _counts_of_several(text, name) if name.several else _counts_alone(text, name)
    if counts:
        return name.end
    initial = _INITIAL_AFTER.match(text, name.end)
    return initial.end() if initial and not name.several and name.known else 0


def _counts_of_several(text: str, name: Name) -> bool:
    first, rest = name.words[0], name.words[1:]
    abbreviation = name.upper and len(first) < 4  # ANA, RAM, SID
    if is_given(first) and not abbreviation:
        return True
    surname = any(is_surname(word) or is_given(word) for word in rest)
    if abbreviation:
        likely = surname and (is_given(first) or is_surname(first))
    elif first in GIVEN_WORDS:
        likely = surname or (is_no_word(first) and not name.upper)
    elif first in GIVEN_CLINICAL:
        likely = surname or (not name.upper and all(map(is_no_word, rest)))
    elif name.upper:  # whole sentences can be in capitals
        likely = any(map(is_given, rest)) and (is_surname(first) or _on_its_own(text, name))
    else:
        likely = surname and is_no_word(first)
    return likely or _acts(text, name)


def _counts_alone(text: str, name: Name) -> bool:
    if name.initials:
        named = name.known or bool(_IN_A_SENTENCE.search(text, max(0, name.start - 4), name.start))
        return named or _acts(text, name)
    if not name.known:
        return False
    return _acts(text, name) or (
        is_given(name.words[0])
        and not name.upper
        and bool(_PERSON_BEFORE.search(text, max(0, name.start - 9), name.start))
    )


def _acts(text: str, name: Name) -> bool:
    return bool(_PERSON_AFTER.match(text, name.end))


def _on_its_own(text: str, name: Name) -> bool:
    starts = _LINE_STARTS.search(text, max(0, name.start - 3), name.start)
    return bool(starts and _ENDS.match(text, name.end))


def _in_lower_case(text: str, start: int) -> int:
    """The end of `maria da silva`: two frequent names, or a given name that acts; or 0."""
    for name in shorter_and_shorter(text, start):
        first, last = name.words[0], name.words[-1]
        sure = first in GIVEN
        counts = name.several and (is_surname(last) or (sure and is_given(last)))
        if (counts or (sure and _acts(text, name))) and not is_a_thing(text, name):
            return name.end
    return 0
