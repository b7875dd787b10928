"""Invented people: names, dates of birth, telephones and numbers as Brazil and the English-speaking world write them.

The lists are the planter's own; whoever looks for names must not have been written from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulations.dirt.site import Generator

GIVEN_PT = (
    "Aparecida", "Benedito", "Cláudia", "Dirceu", "Edmilson", "Francisca", "Geraldo", "Hortência", "Ivone",
    "Jurandir", "Karina", "Lourdes", "Marlene", "Nivaldo", "Odete", "Paulo Roberto", "Quitéria", "Raimunda",
    "Severino", "Terezinha", "Ubirajara", "Vanderlei", "Wagner", "Zuleide", "Maria das Graças", "João Batista",
)  # fmt: skip
FAMILY_PT = (
    "Albuquerque", "Bittencourt", "Cavalcanti", "Drummond", "Evangelista", "Fagundes", "Guimarães", "Holanda",
    "Lacerda", "Magalhães", "Nogueira", "Pacheco", "Queiroz", "Rezende", "Sampaio", "Teixeira", "Vasconcelos",
    "da Silva", "dos Santos", "de Oliveira", "Pereira", "Ferreira",
)  # fmt: skip
GIVEN_EN = (
    "Abigail", "Bernard", "Cynthia", "Derek", "Eleanor", "Franklin", "Gwendolyn", "Howard", "Imogen", "Jeremy",
    "Kathleen", "Leonard", "Meredith", "Nigel", "Olive", "Priscilla", "Rupert", "Sylvia", "Trevor", "Winifred",
)  # fmt: skip
FAMILY_EN = (
    "Ashworth", "Blackwood", "Chamberlain", "Dunmore", "Ellsworth", "Fairbanks", "Goldsmith", "Hathaway",
    "Ingram", "Johnson", "Kingsley", "Lockhart", "Mortimer", "Norwood", "O'Brien", "Pemberton", "Ramsbottom",
    "Smith", "Thackeray", "Whitfield",
)  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MESES = ("janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro")


@dataclass(frozen=True)
class Person:
    """Everything that could name somebody."""

    name: str
    born: str
    phone: str
    email: str
    cpf: str
    record: str


def person(random: Generator, portuguese: bool) -> Person:
    """Somebody who does not exist."""

    def pick(values: Sequence[str]) -> str:
        return values[int(random.integers(len(values)))]

    given, family = pick(GIVEN_PT if portuguese else GIVEN_EN), pick(FAMILY_PT if portuguese else FAMILY_EN)
    if portuguese and random.random() < 0.5:
        family = f"{family} {pick(FAMILY_PT)}"
    number = int(random.integers(1000, 10_000_000))
    plain = given.split()[0].lower().encode("ascii", "ignore").decode()
    mail = f"{plain}.{number % 1000}@{pick(('gmail.com', 'hotmail.com', 'uol.com.br', 'example.org'))}"
    record = pick(
        (str(number), f"{number % 100000:05d}-{number % 10}", f"{number % 1000:03d}.{number % 977:03d}")
    )
    return Person(
        f"{given} {family}", _born(random, portuguese), _phone(random, portuguese), mail, _cpf(random), record
    )


def _born(random: Generator, portuguese: bool) -> str:
    day, month, year = (
        int(random.integers(1, 29)),
        int(random.integers(1, 11)),
        int(random.integers(1925, 2005)),
    )
    forms = [
        f"{day:02d}/{month:02d}/{year}",
        f"{day:02d}-{month:02d}-{year}",
        f"{year}-{month:02d}-{day:02d}",
    ]
    words = f"{day} de {MESES[month - 1]} de {year}" if portuguese else f"{day} {MONTHS[month - 1]} {year}"
    forms += [words, f"{day:02d}.{month:02d}.{year}", f"{day:02d}/{month:02d}/{year % 100:02d}"]
    return forms[int(random.integers(len(forms)))]


def _phone(random: Generator, portuguese: bool) -> str:
    a, b, c = (int(value) for value in random.integers((11, 1000, 1000), (99, 10000, 10000)))
    if portuguese:
        forms = (
            f"({a}) 9{b}-{c}",
            f"+55 {a} 9{b}-{c}",
            f"{a} 9{b}{c}",
            f"({a}) {b // 2 + 2000}-{c}",
            f"9{b}-{c}",
        )
    else:
        area = 200 + a * 7 % 700
        forms = (f"({area}) 555-{c}", f"+1 {area}-555-{c}", f"{area}-555-{c}", f"020 7946 0{c % 900 + 100}",
                 f"07700 900{c % 900 + 100}")  # fmt: skip
    return forms[int(random.integers(len(forms)))]


def _cpf(random: Generator) -> str:
    """A CPF whose two check digits are right."""
    digits = [int(value) for value in random.integers(0, 10, 9)]
    for length in (9, 10):
        rest = sum(d * w for d, w in zip(digits, range(length + 1, 1, -1), strict=False)) * 10 % 11
        digits.append(rest % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}" if random.random() < 0.7 else text
