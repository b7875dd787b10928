"""Invented people of the second unseen set of notes, with other lists and other ways of writing numbers than names.py.

Names have hyphens, particles, apostrophes and many origins, and some family names are common words. Dates of birth,
telephones, e-mails, CPF and record numbers come as clerks type them, tidy or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulations.dirt.site import Generator

GIVEN_EN = (
    "Adaeze", "Alun", "Bronwen", "Callum", "Chidi", "Deirdre", "Dwayne", "Esther", "Fatima", "Gareth", "Hamish",
    "Ines", "Jean-Paul", "Keisha", "Lakshmi", "Mary Ann", "Mei", "Niamh", "Oluwaseun", "Padraig", "Rajesh",
    "Roisin", "Samir", "Tatiana", "Uzma", "Violet", "Wei", "Xavier", "Yusuf", "Zofia", "Barbara", "Kenneth",
)  # fmt: skip
FAMILY_EN = (
    "Adeyemi", "Al-Rashid", "Banks", "Bell", "Chowdhury", "D'Angelo", "Eriksen", "Fitzgerald-Hughes", "Gupta",
    "Hughes", "Iqbal", "Jankowski", "Kowalczyk", "Llewellyn", "MacAllister", "McBride", "Nguyen", "O'Sullivan",
    "Okafor", "Patel", "Quigley", "Rosenthal", "St John", "Tremblay", "Underhill", "van der Berg", "Walsh",
    "Yamamoto", "Young", "Zielinski",
)  # fmt: skip
GIVEN_PT = (
    "Adalberto", "Beatriz", "Cícero", "Débora", "Eunice", "Fabrício", "Glória", "Heitor", "Iracema", "José Carlos",
    "Kauã", "Luzia", "Mafalda", "Maria Eduarda", "Nair", "Otávio", "Pietra", "Rosângela", "Sebastião", "Thaís",
    "Úrsula", "Valdir", "Wesley", "Yasmin", "Zélia", "Ana Lúcia", "Gonçalo", "Simone",
)  # fmt: skip
FAMILY_PT = (
    "Abreu", "Antunes", "Barbosa", "Brandão", "Campos", "Carvalhal", "D'Ávila", "da Conceição", "de Souza",
    "do Nascimento", "Espíndola", "Falcão", "Gonçalves", "Hoffmann", "Junqueira", "Kuroda", "Leite", "Mendonça",
    "Nakamura", "Onofre", "Prado", "Rocha", "Sant'Anna", "Taveira", "Uchôa", "Villela", "Xavier", "Zanella",
)  # fmt: skip
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONG_MONTHS = ("January", "February", "March", "April", "May", "June",
               "July", "August", "September", "October", "November", "December")  # fmt: skip
MESES = ("jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez")
LONG_MESES = ("janeiro", "fevereiro", "março", "abril", "maio", "junho",
              "julho", "agosto", "setembro", "outubro", "novembro", "dezembro")  # fmt: skip
HOSTS = (
    "outlook.com",
    "btinternet.com",
    "proton.me",
    "clinic.example.org",
    "hc.example.com.br",
    "yahoo.com.br",
)

# Field of a template -> kind of identifier. A bare name has neither a title nor a label before it.
KINDS = {
    "name": "name", "other": "name", "last": "name", "otherlast": "name", "given": "name", "rev": "name",
    "init": "name", "bare": "bare_name", "bareother": "bare_name", "born": "date_of_birth", "phone": "phone",
    "phone2": "phone", "email": "email", "cpf": "cpf", "record": "record_number", "nhs": "record_number",
    "sus": "record_number",
}  # fmt: skip
Fields = dict[str, str]


def fields(random: Generator, *, portuguese: bool) -> Fields:
    """A value for every field of KINDS, of one patient and one other person."""
    given, family = _full_name(random, portuguese)
    while True:
        other_given, other_family = _full_name(random, portuguese)
        if other_family != family and other_given != given:
            break
    full, other = f"{given} {family}", f"{other_given} {other_family}"
    return {
        "name": full, "bare": full, "given": given, "last": family, "rev": f"{family.upper()}, {given}",
        "init": f"{given[0]}. {_pick(random, 'ABCDEFGLMRST')}. {family}",
        "other": other, "bareother": other, "otherlast": other_family,
        "born": _born(random, portuguese), "phone": _phone(random, portuguese), "phone2": _phone(random, portuguese),
        "email": _email(random, given, family), "cpf": _cpf(random), "record": _record(random),
        "nhs": _grouped(random, (3, 3, 4)), "sus": _grouped(random, (3, 4, 4, 4)),
    }  # fmt: skip


def _pick(random: Generator, values: Sequence[str]) -> str:
    return values[int(random.integers(len(values)))]


def _digits(random: Generator, count: int) -> str:
    """The first is never 0."""
    return str(int(random.integers(10 ** (count - 1), 10**count)))


def _grouped(random: Generator, lengths: Sequence[int]) -> str:
    return _pick(random, " -.").join(_digits(random, n) for n in lengths)


def _full_name(random: Generator, portuguese: bool) -> tuple[str, str]:
    given = _pick(random, GIVEN_PT if portuguese else GIVEN_EN)
    family = _pick(random, FAMILY_PT if portuguese else FAMILY_EN)
    second = _pick(random, FAMILY_PT)
    if portuguese and second != family and random.random() < 0.4:
        family = f"{family} {second}"
    return given, family


def _born(random: Generator, portuguese: bool) -> str:
    day, month, year = (int(v) for v in random.integers((1, 1, 1928), (29, 13, 2012)))
    short, long = (MESES, LONG_MESES) if portuguese else (MONTHS, LONG_MONTHS)
    suffix = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}.get(day, "th")
    words = (
        (f"{day:02d}/{short[month - 1]}/{year}", f"{day} {short[month - 1]} {year}",
         f"{'1º' if day == 1 else day} de {long[month - 1]} de {year}")
        if portuguese
        else (f"{day}-{short[month - 1]}-{year}", f"{short[month - 1]} {day}, {year}",
              f"{day}{suffix} {long[month - 1]} {year}", f"{day} {short[month - 1]} {year % 100:02d}")
    )  # fmt: skip
    numbers = (
        f"{day}/{month}/{year}",
        f"{day}/{month}/{year % 100:02d}",
        f"{day:02d} {month:02d} {year}",
        f"{day}.{month}.{year}",
        f"{day:02d}-{month:02d}-{year % 100:02d}",
        f"{year}/{month:02d}/{day:02d}",
    )
    return _pick(random, words + numbers)


def _phone(random: Generator, portuguese: bool) -> str:
    three, four, last = _digits(random, 3), _digits(random, 4), _digits(random, 4)
    area = str(int(random.integers(11, 99)))
    if portuguese:
        forms = (f"({area})9{four}-{last}", f"{area} 9{four} {last}", f"55 ({area}) 9 {four}-{last}",
                 f"0{area} 9{four}-{last}", f"9.{four}-{last}", f"({area}) 3{four[1:]}.{last}",
                 f"3{four[1:]}-{last}", f"+351 91{area[0]} {three} {four[:3]}")  # fmt: skip
    else:
        forms = (f"0161 496 {last}", f"01632 {three} {four[:3]}", f"+44 7700 900{three}", f"07700-900-{three}",
                 f"1-{area}5-555-{last}", f"{area}5.555.{last}", f"({area}5)555-{last}",
                 f"0044 20 7946 {last}")  # fmt: skip
    return _pick(random, forms)


def _email(random: Generator, given: str, family: str) -> str:
    first, second = (
        "".join(c for c in word.lower() if c.isascii() and c.isalpha()) for word in (given, family)
    )
    number = _digits(random, 2)
    forms = (f"{first}_{second}", f"{second}{number}", f"{first[0]}.{second}", f"{first}-{second}{number}",
             f"{first}+eye", f"dr.{second}")  # fmt: skip
    return f"{_pick(random, forms)}@{_pick(random, HOSTS)}"


def _record(random: Generator) -> str:
    four, six = _digits(random, 4), _digits(random, 6)
    return _pick(
        random,
        (f"K{six}", f"RX-{six}", f"{four}/{six[:2]}", f"00 {six[:3]} {six[3:]}", f"{six[:2]}.{six[2:5]}-{six[5]}",
         f"{four}.{six}", f"H {six}", f"{six}{four}", f"{six[:5]}{_pick(random, 'ABXYZ')}"),
    )  # fmt: skip


def _cpf(random: Generator) -> str:
    """A CPF whose two check digits are right."""
    digits = [int(value) for value in random.integers(0, 10, 9)]
    for length in (9, 10):
        weighted = sum(d * w for d, w in zip(digits, range(length + 1, 1, -1), strict=False))
        digits.append(weighted * 10 % 11 % 10)
    text = "".join(map(str, digits))
    a, b, c, d = text[:3], text[3:6], text[6:9], text[9:]
    return _pick(random, (f"{a}.{b}.{c}-{d}", f"{a}{b}{c}-{d}", f"{a} {b} {c} {d}", f"{a}.{b}.{c}/{d}", text))
