"""Dates, telephones, CPF and record numbers of the third unseen set of notes, in the forms that people type them.

The numbers are invented; the check digits of every CPF are right. Dates of examinations are here too, in the same
handwriting as the dates of birth, since only what is said beside them tells one from the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulations.dirt.site import Generator

MONTHS = ("January", "February", "March", "April", "May", "June",
          "July", "August", "September", "October", "November", "December")  # fmt: skip
MESES = ("janeiro", "fevereiro", "março", "abril", "maio", "junho",
         "julho", "agosto", "setembro", "outubro", "novembro", "dezembro")  # fmt: skip


def digits(random: Generator, count: int) -> str:
    """So many digits, the first of them not 0."""
    return str(int(random.integers(10 ** (count - 1), 10**count)))


def born(random: Generator, portuguese: bool, earliest: int, latest: int) -> str:
    """A date of birth within these years, the last included."""
    day, month, year = (int(v) for v in random.integers((1, 1, earliest), (29, 13, latest + 1)))
    long = (MESES if portuguese else MONTHS)[month - 1]
    short = long[:3]
    words = (
        (f"{day} de {long} de {year}", f"{day:02d}/{short}/{year}", f"{day:02d}-{short}-{year % 100:02d}",
         f"{day} {short} {year}", f"{day:02d}.{short}.{year}")
        if portuguese
        else (f"{day} {long} {year}", f"{long} {day}, {year}", f"{day:02d}-{short.upper()}-{year}",
              f"{day:02d}{short}{year}", f"the {day}{_ordinal(day)} of {long} {year}", f"{short} {day} {year}")
    )  # fmt: skip
    first, second = (day, month) if portuguese or random.random() < 0.6 else (month, day)
    numbers = (
        f"{first:02d}/{second:02d}/{year}", f"{first:02d}/{second:02d}/{year % 100:02d}", f"{first}-{second}-{year}",
        f"{first:02d}.{second:02d}.{year}", f"{year}-{month:02d}-{day:02d}", f"{first:02d}{second:02d}{year}",
        f"{first:02d} / {second:02d} / {year}", f"{first:02d} {second:02d} {year % 100:02d}",
    )  # fmt: skip
    return _pick(random, words + numbers + numbers[:1])


def seen(random: Generator, portuguese: bool) -> str:
    """A day on which somebody was examined; it identifies nobody."""
    day, month, year = (int(v) for v in random.integers((1, 1, 2016), (29, 13, 2022)))
    short = (MESES if portuguese else MONTHS)[month - 1][:3]
    forms = (f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day} {short} {year}",
             f"{day:02d}/{month:02d}/{year % 100}", f"{day}.{month}.{year}", f"{day:02d}/{month:02d}")  # fmt: skip
    return _pick(random, forms)


def phone(random: Generator, portuguese: bool) -> str:
    """A telephone of Brazil, or else of one of nine other countries."""
    if portuguese:
        return _brazilian(random)
    three, four, last = digits(random, 3), digits(random, 4), digits(random, 4)
    forms = (
        f"07{three} {three}{last[:3]}", f"020 7{three} {last}", f"+44 (0)20 7{three} {last}", f"+447{four}{last}1",
        f"({three[0]}17) 555-{last}", f"{three[0]}17-555-{last}", f"+1 {three[0]}17 555 {last}",
        f"+91 98{three} {four}1", f"087 {three} {last}", f"+61 4{three[:2]} {three} {last[:3]}",
        f"+234 803 {three} {last}", f"+351 91{three[0]} {three} {last[:3]}", f"+54 9 11 {four}-{last}",
        f"+49 171 {four}{three}", f"01{three[:2]}4 {four}{three[:2]}",
    )  # fmt: skip
    return _pick(random, forms)


def mobile_of_brazil(random: Generator) -> str:
    """With the country's code, as one gives it abroad."""
    area, four, last = 11 + int(random.integers(78)), digits(random, 4), digits(random, 4)
    forms = (
        f"+55 {area} 9{four}-{last}",
        f"+55{area}9{four}{last}",
        f"0055 {area} 9 {four} {last}",
        f"+55 ({area}) 9{four} {last}",
    )
    return _pick(random, forms)


def _brazilian(random: Generator) -> str:
    area, four, last = 11 + int(random.integers(78)), digits(random, 4), digits(random, 4)
    forms = (
        f"({area}) 9{four}-{last}", f"{area} 9{four}-{last}", f"{area}9{four}{last}", f"({area}) 9 {four} {last}",
        f"9{four}-{last}", f"9 {four}.{last}", f"(0{area}) 3{four[1:]}-{last}", f"3{four[1:]} {last}",
        f"{area}-3{four[1:]}-{last}", f"{area} / 9{four}-{last}", f"({area})3{four[1:]}{last}",
        mobile_of_brazil(random),
    )  # fmt: skip
    return _pick(random, forms)


def cpf(random: Generator) -> str:
    """A CPF whose two check digits are right."""
    nine = [int(value) for value in random.integers(0, 10, 9)]
    for weights in (range(10, 1, -1), range(11, 1, -1)):
        rest = sum(digit * weight for digit, weight in zip(nine, weights, strict=True)) % 11
        nine.append(0 if rest < 2 else 11 - rest)
    text = "".join(str(digit) for digit in nine)
    a, b, c, d = text[:3], text[3:6], text[6:9], text[9:]
    forms = (f"{a}.{b}.{c}-{d}", f"{a}.{b}.{c}-{d}", text, f"{a}{b}{c}-{d}", f"{a} {b} {c}-{d}", f"{a}-{b}-{c}-{d}",
             f"{a}.{b}.{c}.{d}", f"{a} {b} {c} {d}")  # fmt: skip
    return _pick(random, forms)


def scanned(number: str) -> str:
    """A CPF as a scanner reads the boxes of a form: spaces round its dots and dash."""
    plain = "".join(c for c in number if c.isdigit())
    return f"{plain[:3]} . {plain[3:6]} . {plain[6:9]} - {plain[9:]}"


def record(random: Generator) -> str:
    """A number by which a hospital, a department or an insurer knows somebody."""
    five, seven = digits(random, 5), digits(random, 7)
    letter, year = _pick(random, "ABCDFGMPRSWX"), str(int(random.integers(1998, 2015)))
    forms = (
        seven, f"00{five}", f"{letter}{seven}", f"{seven}{letter}", f"{year}/{five}", f"{five}-{seven[0]}",
        f"{five[:2]}.{five[2:]}-{seven[0]}", f"{seven[:3]}-{seven[3:]}", f"{letter}-{five}", f"{letter}{letter} {five}",
        f"{seven[:2]}-{seven[2:4]}-{seven[4:6]}", f"{seven}/{five[:2]}", f"{five}", f"{seven}{five}",
    )  # fmt: skip
    return _pick(random, forms)


def _ordinal(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}.get(day, "th")


def _pick(random: Generator, values: Sequence[str]) -> str:
    return values[int(random.integers(len(values)))]
