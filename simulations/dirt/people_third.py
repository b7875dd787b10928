"""Invented people of the third unseen set of notes: three of them a note, with everything that would identify them.

Lists and ways of writing numbers are this set's own. Whoever wrote them had not read the search for identifiers, nor
the notes that it was written with; what is written here is what reception desks, forms and letters hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

from simulations.dirt.numbers_third import born, cpf, digits, mobile_of_brazil, phone, record, scanned
from simulations.dirt.site import Generator

GIVEN_EN = (
    "Abigail", "Amara", "Anthony", "Arjun", "Bethan", "Caroline", "Desmond", "Dilys", "Edith", "Emeka", "Farah",
    "Graham", "Hiroshi", "Ingrid", "Jacqueline", "Kwame", "Leticia", "Malcolm", "Ngozi", "Olga", "Parveen", "Philippa",
    "Ronald", "Sinead", "Theresa", "Vikram", "Wilfred", "Ximena", "Anne-Marie", "John Paul",
)  # fmt: skip
FAMILY_EN = (
    "Achebe", "Bannister", "Castellanos", "Donnelly", "Emmerson", "Featherstone", "Ghosh", "Hargreaves", "Ibrahim",
    "Jeffries", "Kapoor", "Lindqvist", "McNamara", "Nakagawa", "O'Connor", "Pemberton", "Rahman", "Sokolov",
    "Thistlewood", "Umeh", "Vasquez", "Whitcombe", "Yeboah", "Zhou", "de la Cruz", "Ellis-Moore", "Black", "Wood",
)  # fmt: skip
GIVEN_PT = (
    "Aparecida", "Benedito", "Cláudia", "Djalma", "Edivaldo", "Fátima", "Gilberto", "Helena", "Ivone", "Jurandir",
    "Kátia", "Lourdes", "Márcio", "Neusa", "Osvaldo", "Priscila", "Raimundo", "Sueli", "Tereza", "Ulisses",
    "Vanderlei", "Washington", "Antônia", "Jefferson", "Maria José", "João Batista", "Luís Fernando", "Rita de Cássia",
)  # fmt: skip
FAMILY_PT = (
    "Albuquerque", "Bittencourt", "Cavalcanti", "Damasceno", "Evangelista", "Figueiredo", "Guimarães", "Hayashi",
    "Infante", "Jardim", "Klein", "Lacerda", "Magalhães", "Neves", "Oliveira", "Paixão", "Queiroz", "Rezende",
    "Siqueira", "Tavares", "Vasconcelos", "Yoshida", "Zanotto", "da Cunha", "dos Santos", "de Moraes", "Machado",
)  # fmt: skip
HOSTS = (
    "gmail.com",
    "hotmail.com",
    "uol.com.br",
    "icloud.com",
    "nhs.example.net",
    "retina.example.com",
    "bol.com.br",
)

# Field of a template -> kind of identifier. Bare names have neither a title nor a label nor a degree beside them.
KINDS = {
    "full": "name", "first": "name", "last": "name", "caps": "name", "broken": "name", "doctor": "name",
    "doclast": "name", "bare": "bare_name", "barefirst": "bare_name", "reversed": "bare_name",
    "initials": "bare_name", "bareother": "bare_name", "barethird": "bare_name", "thirdfirst": "bare_name",
    "born": "date_of_birth", "infant": "date_of_birth", "phone": "phone", "phone2": "phone", "abroad": "phone",
    "email": "email", "cpf": "cpf", "scanned": "cpf", "record": "record_number", "record2": "record_number",
    "card": "record_number",
}  # fmt: skip
Fields = dict[str, str]


def fields(random: Generator, *, portuguese: bool) -> Fields:
    """A value for every field of KINDS: the patient's, and the names of a second and a third person."""
    (given, family), (second, second_family), (third, third_family) = _three(random, portuguese)
    full, other = f"{given} {family}", f"{second} {second_family}"
    return {
        "full": full, "bare": full, "first": given, "barefirst": given, "last": family,
        "caps": full.upper(), "broken": f"{given}\n{family}", "reversed": f"{family.upper()}, {given}",
        "initials": f"{given[0]}{_pick(random, ('', '.', '. A.'))} {family}",
        "doctor": other, "doclast": second_family, "bareother": other,
        "barethird": f"{third} {third_family}", "thirdfirst": third,
        "born": born(random, portuguese, 1931, 2011), "infant": born(random, portuguese, 2022, 2026),
        "phone": phone(random, portuguese), "phone2": phone(random, portuguese),
        "abroad": phone(random, portuguese=False) if portuguese else mobile_of_brazil(random),
        "email": _email(random, given, family), "cpf": cpf(random), "scanned": scanned(cpf(random)),
        "record": record(random), "record2": record(random),
        "card": " ".join((digits(random, 3), *(digits(random, 4) for _ in "abc")))
        if portuguese else " ".join((digits(random, 3), digits(random, 3), digits(random, 4))),
    }  # fmt: skip


def _three(random: Generator, portuguese: bool) -> list[tuple[str, str]]:
    """Given and family names of three people who share no word of them."""
    while True:
        people = [_somebody(random, portuguese) for _ in range(3)]
        words = [w for person in people for w in set(" ".join(person).split()) if len(w) > 3]
        if len(set(words)) == len(words):
            return people


def _somebody(random: Generator, portuguese: bool) -> tuple[str, str]:
    if not portuguese:
        return _pick(random, GIVEN_EN), _pick(random, FAMILY_EN)
    given, family, second = (_pick(random, names) for names in (GIVEN_PT, FAMILY_PT, FAMILY_PT))
    return given, family if second == family or random.random() < 0.5 else f"{second} {family}"


def _email(random: Generator, given: str, family: str) -> str:
    first, last = (
        "".join(c for c in normalize("NFD", word.lower()) if c.isascii() and c.isalpha())
        for word in (given, family)
    )
    forms = (f"{first}.{last}", f"{first}{last[:4]}{digits(random, 2)}", f"{last}.{first[0]}",
             f"{first}_eyes{digits(random, 4)}", f"{first[0]}{last}", f"familia.{last}")  # fmt: skip
    return f"{_pick(random, forms)}@{_pick(random, HOSTS)}"


def _pick(random: Generator, values: Sequence[str]) -> str:
    return values[int(random.integers(len(values)))]
