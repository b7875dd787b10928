from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.data.identifiers import KINDS, find, is_cpf, is_health_card, mask

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package
from planted_notes import HELD_OUT, TUNED, UNANNOUNCED, Half, notes

MASKED = {
    "Patient John Smith, MRN 123456, DOB 12/03/1960.": "Patient [name], MRN [record_number], DOB [date_of_birth].",
    "Seen by Dr. J. R. Silva. Macula flat.": "Seen by Dr. [name]. Macula flat.",
    "Name: Smith, John; born on March 12, 1960": "Name: [name]; born on [date_of_birth]",
    "NOME: JOÃO DA SILVA  DN: 01/02/1955": "NOME: [name]  DN: [date_of_birth]",
    "paciente Maria de Souza, cel. 11 98765-4321": "paciente [name], cel. [phone]",
    "dr. silva pediu retorno": "dr. [name] pediu retorno",
    "Prof. Dr. Paulo Prado": "Prof. Dr. [name]",
    "CPF 529.982.247-25, RG 12.345.678-9": "CPF [cpf], RG [record_number]",
    "52998224725 e 11987654321": "[cpf] e [phone]",
    "SUS 898 0012 3456 7890": "SUS [record_number]",
    "j.smith+eye@mail.example.com": "[email]",
    "+44 20 7946 0958 or (555) 123-4567": "[phone] or [phone]",
    "12/03/1960 (DOB)": "[date_of_birth] (DOB)",
    "Patient name:\nMary O'Brien-Jones": "Patient name:\n[name]",
    "Professor Smith agrees. Nurse Page, Rev. Okafor.": "Professor [name] agrees. Nurse [name], Rev. [name].",
    "Name John Smith": "Name [name]",
    "Maria da Silva comparece. Wei Zhang reports floaters.": "[name] comparece. [name] reports floaters.",
    "SMITH, John; SILVA MARIA; Smith, John": "[name]; [name]; [name]",
    "Reviewed with T. Okafor and J.R. Silva.": "Reviewed with [name] and [name].",
    "Dona Jurema, filha de Rosa Branco": "Dona [name], filha de [name]",
    "Letter to Grace Okonkwo, wife of Mark Hollis Jr.": "Letter to [name], wife of [name]",
    "maria dos santos nega dor": "[name] nega dor",
    "Ingrid Lindqvist's vision is stable": "[name]'s vision is stable",
    "nascida a 6 de setembro de 1965": "nascida a [date_of_birth]",
    "d/o/b 14-09-43; DN 19/jul/2010": "d/o/b [date_of_birth]; DN [date_of_birth]",
    "DOB 01 11 1982 / birthday: 5th April 2003": "DOB [date_of_birth] / birthday: [date_of_birth]",
    "Data de nascimento (dd/mm/aaaa): 1/2/55": "Data de nascimento (dd/mm/aaaa): [date_of_birth]",
    "n. 3/3/1969, viúva": "n. [date_of_birth], viúva",
    "Born in Santa Lucia on 12 Mar '62": "Born in Santa Lucia on [date_of_birth]",
    "idade 66 (12/03/1960), 61yo [1/2/60]": "idade 66 ([date_of_birth]), 61yo [[date_of_birth]]",
    "John Smith | 12/03/1990 | 07700-900-835 | OD": "[name] | [date_of_birth] | [phone] | OD",
    "cataract 4.5.1951": "cataract [date_of_birth]",
    "rang 07700-900-835, 0044 20 7946 8073": "rang [phone], [phone]",
    "tel.res. 9.9645-1384, recados: 3105-5412": "tel.res. [phone], recados: [phone]",
    "fone p/ contato 3105 5412": "fone p/ contato [phone]",
    "x@mail.example.com ou 3105-5412": "[email] ou [phone]",
    "URN RX-958448, case notes 4587/37": "URN [record_number], case notes [record_number]",
    "PRONTUÁRIO ELETRÔNICO H 190362": "PRONTUÁRIO ELETRÔNICO [record_number]",
    "Processo clínico n.º 31.150-4": "Processo clínico n.º [record_number]",
    "hosp nr 00 123 456. RH 7166.948297": "hosp nr [record_number]. RH [record_number]",
    "seen, 943 476 5919, annual": "seen, [record_number], annual",
    "CPF/MF 529982247-25, inscrito no CPF sob o nº 529 982 247 26": "CPF/MF [cpf], inscrito no CPF sob o nº [cpf]",
}

KEPT = [
    "20/40 OD, C/D 0.5, IOP 14, +2.00 -1.25 x 180",
    "DR grade 2. DR Moderate OD. Dr absent. DR: none.",
    "Weiss ring, Roth spots, Purtscher retinopathy, Drance haemorrhage.",
    "Dr. shunt",
    "Examined on 12/03/2021, again 2022-01-05.",
    "12345678901",  # eleven digits with neither check digits nor a mobile's shape
    "Thickness 1200-1400 microns, seen 2019-2021.",
    "Patient: Hypertensive, diabetic. Paciente diabético há 10 anos.",
    "PACIENTE COM DIABETES TIPO 2",
    "MR -2.00. MS and hypertension. SR fluid.",
    "image ID: 123456, lot no. 99887",
    "Registro 2019. Registro fotográfico de 45 graus.",
    "57 year old woman, aged 57, 57 anos",
    "Charles Bonnet syndrome, Marcus Gunn pupil, Miller Fisher syndrome, Von Hippel-Lindau, Stargardt Disease",
    "Santa Casa de São Paulo, Hospital Albert Einstein, Rua João Pessoa, São José dos Campos",
    "Grace Period. Will Return in May. Iris Nevus. Rose Bengal. Mark Scars. Hope For Improvement.",
    "Call 12/03/2021. Contact lens 2019-2021. Weiss ring 312 287. RNFL 084 079 091.",
    "IOP 16 (12/03/2021), 14 (11/02/09). 65 anos (12/03/2021). VA RE 6/12 | 12/03/2021 | LE 6/6",
    "Born in Jamaica, exam 12/03/2021. DN não consta, exame 12/03/2021. Nascido com 1200 g. born 29/40",
    "Cataract surgery 12/03/1998. Trauma in 1955. Lote n. 12-03-24.",
    "Record no seen 1200. Patient no 312 microns. Paciente no 120 dia. Prontuário: OD 20/40.",
    "NHS 2021/22. RH positivo. Ficha azul 45.",
    "cell count 2450 2610/mm2; thickness 312 287 391",
    "Mother Hypertensive. c/o Blurred Vision. From Community Optometry. Seu Exame. Letter to GP.",
]


@pytest.mark.parametrize(("text", "masked"), MASKED.items())
def test_an_identifier_is_replaced_by_its_kind_and_nothing_else_changes(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_clinical_text_that_looks_alike_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("half", [TUNED, HELD_OUT], ids=["tuned", "held_out"])
def test_planted_identifiers_are_found_and_nothing_else_is(half: Half) -> None:
    """Found: every letter of it, as its own kind. False: less than half of what was found was planted."""
    planted, covered, found, false = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for text, truth in notes(half, 1000):
        got = find(text)
        for start, end, kind in truth:
            planted[kind] += 1
            covered[kind] += any(g.kind == kind and g.start <= start and g.end >= end for g in got)
        for g in got:
            found[g.kind] += 1
            shared = [min(e, g.end) - max(s, g.start) for s, e, kind in truth if kind == g.kind]
            false[g.kind] += 2 * max(shared, default=0) < g.end - g.start
    for kind in KINDS:
        assert planted[kind] > 50
        assert covered[kind] / planted[kind] >= 0.95, f"recall of {kind}"
        assert 1 - false[kind] / found[kind] >= 0.95, f"precision of {kind}"


def test_names_that_nothing_announces_are_found_and_capitalised_clinical_words_stay() -> None:
    planted = covered = found = false = 0
    for text, truth in notes(UNANNOUNCED, 1500):
        got = [g for g in find(text) if g.kind == "name"]
        planted, found = planted + len(truth), found + len(got)
        covered += sum(any(g.start <= start and g.end >= end for g in got) for start, end, _ in truth)
        false += sum(not any(g.start < end and start < g.end for start, end, _ in truth) for g in got)
    assert planted > 1500
    assert covered / planted >= 0.97
    assert false / found <= 0.01


def test_check_digits_tell_a_cpf_and_a_health_card_from_other_numbers() -> None:
    assert is_cpf("529.982.247-25")
    assert not is_cpf("52998224726")
    assert not is_cpf("11111111111")
    assert is_health_card("898 0012 3456 7890") == (sum(
        int(c) * (15 - i) for i, c in enumerate("898001234567890")) % 11 == 0)  # fmt: skip


@given(st.text(max_size=300))
def test_any_text_is_masked_and_places_do_not_overlap(text: str) -> None:
    places = find(text)
    assert all(0 <= a.start < a.end <= len(text) for a in places)
    assert all(a.end <= b.start for a, b in zip(places, places[1:], strict=False))
    mask(text)


_UNITS = (
    "a|1|A|1 |1-|1.|a.|(1|+1 |Dr. |Dr. A |DR A. |name: |Nome: A|de da |Maria |paciente |patient Maria da "
    "|tel |tel: 1|MRN |MRN 1 |id # |born on |dob 1/1|a@|@|a@a.|12/12/|1 jan |(11) |55 |000 |11 9|signed b"
    "y |CPF 111.|cns 1234 |J. |Smith, |maria |Xa |XA |John S. |with A |Xa-|mother of Xa, "
    "|born in Aa |nasc em |n. |n.1|12 |1 1 |12/12/1950 |65 (|age 1|00|001 |07700-|9.1|tel.res. |tel no no |.com ou "
    "|CPF do |CPF 1|529 |file no |patient no |NHS 1 |RX-|1/|1-1|a;12/12/90"
)
HOSTILE = [*_UNITS.split("|"), "\n", " ", "\t", "x\u0301", "[name]"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("length", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_hostile_note_takes_no_more_than_linear_time(length: int) -> None:
    for unit in HOSTILE:
        text = unit * (length // len(unit))
        start = time.process_time()
        find(text)
        took = time.process_time() - start
        assert took < 4 * length / 100_000, f"{unit!r} took {took:.1f} s"


@pytest.mark.timeout(60)
def test_twenty_thousand_different_notes_take_seconds() -> None:
    texts = [text for text, _ in notes(TUNED, 2000)]
    start = time.process_time()
    for text in texts:
        mask(text)
    assert (time.process_time() - start) * 10 < 30
