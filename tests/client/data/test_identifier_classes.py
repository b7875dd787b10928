"""Identifiers as other clerks write them, class by class, and what looks like them; none is of a measured set."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.data.identifier_lines import unbroken
from client.data.identifiers import find, mask

MASKED = {
    "MRN 12-08-44, C/D 0.4": "MRN [record_number], C/D 0.4",
    "Reg. 2013/40771, AV 20/25": "Reg. [record_number], AV 20/25",
    "Chart no. 77-41-90": "Chart no. [record_number]",
    "RECORD: K-40771": "RECORD: [record_number]",
    "Member no. 4471902/01": "Member no. [record_number]",
    "Subscriber ID QX 55817": "Subscriber ID [record_number]",
    "matr. 55.817-2, servidora": "matr. [record_number], servidora",
    "Apólice nº 0044719/03": "Apólice nº [record_number]",
    "PRON-\nTUÁRIO 447190": "PRON-\nTUÁRIO [record_number]",
    "prontuario kk 55817 retorno": "prontuario [record_number] retorno",
    "Hosp no. was 447190, now 551-7720": "Hosp no. was [record_number], now [record_number]",
    "MRN amended from 44719 to 2015/44180": "MRN amended from [record_number] to [record_number]",
    "Registro antigo 44719; atual 551-7720": "Registro antigo [record_number]; atual [record_number]",
    "Prontuário mudou de 447190 para 551772": "Prontuário mudou de [record_number] para [record_number]",
    "Iolanda Peres | 447190 | 03/08/1957 | DMRI": "[name] | [record_number] | [date_of_birth] | DMRI",
    "OKAFOR, Grace  44-71-90  03.08.57\nCRT 288": "[name]  [record_number]  [date_of_birth]\nCRT 288",
    "Nome;Nasc;Prontuário;Olho\nIolanda Peres;03/08/2009;447190;OD": "Nome;Nasc;Prontuário;Olho\n"
    "[name];[date_of_birth];[record_number];OD",
    "Name | DOB | Hosp no | VA\nGrace Okafor | 03/08/2009 | 4471 | 6/9": "Name | DOB | Hosp no | VA\n"
    "[name] | [date_of_birth] | [record_number] | 6/9",
    "John Smith (447190) seen": "[name] ([record_number]) seen",
    "Patient:  Marjorie\nAldridge\nVA 6/9": "Patient:  [name]\nVA 6/9",
    "Nome:\nIolanda\nPeres da Silva\nAV 20/20": "Nome:\n[name]\nAV 20/20",
    "Responsável:  Iolanda\nPeres\n": "Responsável:  [name]\n",
    "Rodri-\ngues, Iolanda": "[name]",
    "Given name(s): Tuppence\nFamily name: Aldridge": "Given name(s): [name]\nFamily name: [name]",
    "Scrub nurse: Imelda Aldridge": "Scrub nurse: [name]",
    "Segurada: IOLANDA PERES  Plano: ouro": "Segurada: [name]  Plano: ouro",
    "Anaesthetist: Tuppence / block": "Anaesthetist: [name] / block",
    "client  Iolanda Vrandecic  OD": "client  [name]  OD",
    "Best wishes,\nTuppence": "Best wishes,\n[name]",
    "Grata, Iolanda": "Grata, [name]",
    "bjs, iolanda": "bjs, [name]",
    "Regards\nVrandecic": "Regards\n[name]",
    "Tuppence says she sees flashes.": "[name] says she sees flashes.",
    "qp: iolanda disse que piorou": "qp: [name] disse que piorou",
    "Chamar Zulmira às 15h": "Chamar [name] às 15h",
    "Falar com Zulmira no 3222-4411": "Falar com [name] no [phone]",
    "please ring iolanda tomorrow": "please ring [name] tomorrow",
    "Avisar dona zulmira": "Avisar dona [name]",
    "o marido edmundo trouxe a receita": "o marido [name] trouxe a receita",
    "baby of grace okafor, 28/40": "baby of [name], 28/40",
    "rn de iolanda peres, 900 g": "rn de [name], 900 g",
    "s/w edmundo aldridge (nephew) re drops": "s/w [name] (nephew) re drops",
    "letter to dr okafor sharma re oct": "letter to dr [name] re oct",
    "ao dr peres tavares": "ao dr [name]",
    "Dra. do Amaral avaliou": "Dra. [name] avaliou",
    "Dr. van Houten agrees": "Dr. [name] agrees",
    "CPF 529-982-247-25": "CPF [cpf]",
    "C.P.F.\n529 . 982 . 247 - 25": "C.P.F.\n[cpf]",
    "529-982-247-25 confere": "[cpf] confere",
    "zap 31 / 98844-1207": "zap [phone]",
    "meu número novo é 3222 4411": "meu número novo é [phone]",
    "my new number is 020 7946 0991": "my new number is [phone]",
    "Contatos: 31 / 3222-4411 / 98844 1207": "Contatos: [phone] / [phone]",
    "0055 31 9 8844 1207": "[phone]",
    "mobile 00 44 7700 900835": "mobile [phone]",
    "Ao colega Dr.\nEdmundo Peres": "Ao colega Dr.\n[name]",
    "DOB: the 3rd of August 1957": "DOB: [date_of_birth]",
    "Known as Tuppence; registered as Prudence Aldridge.": "Known as [name]; registered as [name].",
    "DA SILVA, IOLANDA  447190  CATARATA": "[name]  [record_number]  CATARATA",
    "B Okafor seen with SpR": "[name] seen with SpR",
    "List: R Sharma, cataract": "List: [name], cataract",
    "paciente edmundo vrandecic, 61 anos": "paciente [name], 61 anos",
    "Titular: Iolanda Peres, dependente: Edmundo Peres": "Titular: [name], dependente: [name]",
    "João da Silva  12/03/2021  OCT": "[name]  12/03/2021  OCT",
    "Maria Silva - 12/03/1998 - facectomia": "[name] - 12/03/1998 - facectomia",
    "Maria Silva, 20/40-2, 14/16": "[name], 20/40-2, 14/16",
    "Dr Smith - 67028 - OS": "Dr [name] - 67028 - OS",
}

KEPT = [
    "MRN not recorded; VA 20/40, 20/40-2, IOP 14/16 at 10/12/2021.",
    "IOP 14-16-15 over three visits; pressures 16/18/17.",
    "Pt 14/16, Goldmann. Patient 20/40 today. Chart 20/200.",
    "LIO SN60WF +21.5 D, lote 31884/22, validade 08/2027. Lot no. 44-71-90. Batch 2013/40771.",
    "H35.3211, E11.3513, CPT 67028-RT, CID H54.4, SIGTAP 04.05.03.004-5, ANVISA 80153480158.",
    "Exame 12/03/2021 | OCT 14/05/2021 | retorno 12/06/2022",
    "Bevacizumab 1.25 mg/0.05 mL; aflibercept 2 mg; 10/2021 and 11/2021.",
    "Record of 3 injections since 2019. Record 1200 microns. Record 2019/2020.",
    "Natural de Santa Rita do Sapucaí, residente em Visconde de Mauá, procedente de Barão de Cocais.",
    "Moradores de Presidente Epitácio. Domiciliada em Conselheiro Lafaiete. Oriundo de Senador Canedo.",
    "Prefeitura de Santo Amaro da Imperatriz. Van de São Miguel do Oeste.",
    "Transferred from Massachusetts General to Casey Eye Institute. Sent from Kingston Lacy to Leeds.",
    "Seen at Wilmer Eye Institute, Duke Eye Center, Queen Victoria Hospital, Addenbrooke Hospital.",
    "Boots branch, Oxford Street; Specsavers, Castlegate branch.",
    "Rosa Bengala positivo, Verde Lissamina negativo, Azul Brilhante G. Brilliant Blue, Trypan Blue, Rose Bengal.",
    "dra ciente. dr avisou. sra orientada. dr ausente. dra avaliando. dr discreta. dr presente",
    "Dr. de plantão avisado. Dra. do setor. sr com catarata.",
    "Obrigado pela atenção. Att, Setor de Oftalmologia. Thanks for referring. Regards, Screening Office",
    "Thanks, Team. Best corrected 6/9. Yours faithfully,\nEye Clinic",
    "Call back if worse. Tell us if pain. Ask about drops. Contact lens worn. Ring lines seen. List for cataract.",
    "avisar se piorar. chamar o proximo. falar com a familia. ligar para o setor.",
    "this is stable. I am happy with this. aqui e a porta. sou a favor.",
    "pt may return. patient will call. paciente clara ao exame. pt rose early. paciente livre de dor.",
    "infant of diabetic mother. rn de termo, rn de parto normal. baby of 32 weeks. child with squint.",
    "Mother Hypertensive. mae diabetica, pai hipertenso, irma sadia.",
    "OCT says no fluid. Retina tells nothing.",
    "VA\nRight\nLeft\nIOP. Patient:\nDiabetic\nHypertensive. Paciente: Estável\nGlaucoma",
    "Diagnosis  Right  Left\nCataract  NS2  NS3\nGlaucoma  none  none",
    "Name of drug: Timolol. Lens name  AcrySof. Nome da lente: Acuvue.",
    "Eye | VA | IOP\nOD | 20/40 | 14\nOS | 20/25 | 16",
    "CRT 288 | 311 | 266, spots 1104, power 12000, n=45000",
    "Reti-\nnal detach-\nment, macu-\nla on, cho-\nroid flat",
    "ETDRS 55-60-65 letters; K1 43.25, K2 44.10; AL 23.45; axis 175-180",
    "from 20/40 to 20/200; MRx -2.00 to -3.00; dose changed from 1.25 to 2.5 mg",
    "new number of floaters 3. number is stable. number of spots 1104. his number one concern",
    "Válvula de Ahmed, implante de Baerveldt, tubo de Molteno, técnica de Gills.",
    "A Hoffer ring. A Wilson sign was absent. Grade A Weiss ring.",
    "call at 0900. text at 1030 1130. Bus 43, bay 12, ticket 0457, senha 0457.",
    "Sala 2, 3 frascos, nota fiscal 004512, CNPJ 12.345.678/0001-90, protocolo 12345/21",
    "laser 532 nm, 200 um, 150 mw, 1104 disparos; glicemia 180-220-195",
    "Snellen 6/9 em 12/03/2021; retorno em 12/09/2021; DN nao consta",
    "Acuity 20/40; MRN 20/40. Reg 20/25 OE. Prontuário 12/03/2021: sem queixas. Study 2019/44719",
    "Optos 12000, Zeiss 44719. Contact Novartis about supply. Tell Reception to book. Foto 0457/0463",
    "Drug  Dose  Eye\nTimolol  0.5  OD\nLatanoprost  0.005  OS",
    "Data;Nome do exame;Resultado\n12/03/2021;OCT;normal",
    "Carteira assinada. Member of staff present. Tech: poor fixation. Insured: yes. Autor: desconhecido.",
    "NOME COMPLETO\nIDADE\nSEXO. Patient details\nVisual acuity\nRight 6/9",
    "cataract (mother), retinal detachment (son). Retinoblastoma (sobrinha)",
    "Vitrectomy with Kenalog. Phaco with Malyugin ring. seen w/ resident",
    "Moved to Peterborough; came from Bury St Edmunds to Ipswich. Mora em Campos do Jordão.",
]


@pytest.mark.parametrize(("text", "masked"), MASKED.items())
def test_a_class_of_identifiers_is_masked_whoever_writes_it(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text(alphabet="aAé -\n1", max_size=60))
def test_a_broken_word_is_whole_and_its_letters_keep_their_places(text: str) -> None:
    whole = unbroken(text)
    for at, letter in enumerate(whole.text):
        start, end = whole.before(at, at + 1)
        assert text[start:end] == letter


HOSTILE = (
    "ana |ana, mae |Ana says |Aa |A Aa |wesley |sou a |mother of ana |a-\n|A-\nB|Aa | 1 |Aa  11111  |11111 | |a\n|"
    "name  dob\n|1  |MRN 12345 to |prontuario antigo |changed from |12345, novo |avisar aa |thanks,\n|infant of |"
    "Ana\n|Patient: Ana\n|Patient  A|name of \n|Dr. da |DA CUNHA, |111 . 111 . |55 11 9 |(son) |12/12345, |record |"
    "12345 (a) "
)


@pytest.mark.timeout(120)
def test_hostile_rows_and_lines_take_no_more_than_linear_time() -> None:
    for unit in filter(None, HOSTILE.split("|")):
        text = unit * (30_000 // len(unit))
        start = time.process_time()
        find(text)
        took = time.process_time() - start
        assert took < 2, f"{unit!r} took {took:.1f} s"
