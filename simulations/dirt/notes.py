"""Clinical notes in English and Portuguese, with somebody's name in them or with everything that only looks like one.

The harmless ones hold what trips a careless search: eponyms (Graves, Coats, Weiss), dates of the examination,
pressures and dosages, phone-like measurements, drugs and lenses with capitals.
"""

from __future__ import annotations

from collections.abc import Callable

from simulations.dirt.names import Person, person
from simulations.dirt.notes_unseen import (
    HARMLESS_EN_UNSEEN,
    HARMLESS_PT_UNSEEN,
    WITH_EN_UNSEEN,
    WITH_PT_UNSEEN,
)
from simulations.dirt.site import Generator

Template = tuple[str, str]  # kind of identifier, text with fields of Person

WITH_EN: tuple[Template, ...] = (
    ("name", "Patient: {name}. Moderate NPDR in the right eye, no macular edema."),
    ("name", "Mr. {name} was seen today for his annual diabetic screening."),
    ("name", "Mrs {name} reports blurred vision since last week; IOP 16/17 mmHg."),
    ("name", "Referred by Dr. {name} because of suspected glaucoma."),
    ("name", "Fundus within normal limits. Signed, Dr {name}."),
    ("name", "Pt name: {name}, 64 y/o, T2DM for 12 years."),
    ("date_of_birth", "DOB: {born}. Dilated fundus exam unremarkable OU."),
    ("date_of_birth", "Date of birth {born}, hypertensive, no retinopathy."),
    ("date_of_birth", "The patient was born on {born} and has had diabetes for 9 years."),
    ("phone", "Please call {phone} to schedule the laser session."),
    ("phone", "Phone: {phone}. Drusen in the macula, dry AMD."),
    ("phone", "Contact number {phone} (daughter). Cataract surgery advised."),
    ("email", "Results to be sent to {email}."),
    ("email", "E-mail {email}; follow-up in 6 months."),
    ("record_number", "MRN: {record}. Proliferative retinopathy, PRP done."),
    ("record_number", "Medical record number {record}, right eye, cup-to-disc 0.6."),
    ("record_number", "Chart no. {record}: hypertensive changes grade 2."),
    ("name", "Ms. {name}, DOB {born}, MRN {record}: no diabetic retinopathy."),
)
WITH_PT: tuple[Template, ...] = (
    ("name", "Paciente: {name}. Retinopatia diabética não proliferativa moderada em OD."),
    ("name", "Sra. {name} refere baixa de visão há 2 meses."),
    ("name", "Sr. {name}, 71 anos, diabético há 15 anos, em uso de insulina."),
    ("name", "Encaminhado pela Dra. {name} para avaliação de fundo de olho."),
    ("name", "Nome: {name}. Escavação aumentada, PIO 18/19."),
    ("name", "Exame realizado pelo Dr. {name}; mácula sem alterações."),
    ("date_of_birth", "Data de nascimento: {born}. Fundo de olho normal em AO."),
    ("date_of_birth", "DN {born}, hipertenso, sem retinopatia."),
    ("date_of_birth", "Nascida em {born}, diabetes tipo 2, drusas em OE."),
    ("phone", "Tel. {phone} para marcar o laser."),
    ("phone", "Telefone: {phone}. Edema macular em OD."),
    ("phone", "Ligar para o filho, celular {phone}."),
    ("email", "Enviar laudo para {email}."),
    ("email", "E-mail: {email}. Retorno em 6 meses."),
    ("cpf", "CPF {cpf}. Retinopatia proliferativa, fotocoagulação indicada."),
    ("cpf", "CPF: {cpf}, degeneração macular relacionada à idade."),
    ("record_number", "Prontuário {record}. Nevo de coroide em OE."),
    ("record_number", "Prontuário nº {record}: escavação 0,7 em AO."),
    ("record_number", "Registro: {record}. Sem alterações."),
    ("name", "Paciente {name}, CPF {cpf}, tel {phone}: retinopatia leve."),
)
HARMLESS_EN = (
    "Fundus examination on {day}: no diabetic retinopathy in either eye.",
    "Seen on {day}; next visit in 6 months. IOP 16/17 mmHg at 10:30.",
    "Graves disease with mild proptosis; optic disc healthy.",
    "Weiss ring after posterior vitreous detachment. Amsler grid normal.",
    "Suspected Coats disease in the left eye, differential Eales disease.",
    "Visual acuity 20/40 OD and 20/25 OS, cup-to-disc 0.3 and 0.4.",
    "HbA1c 8.2 %, creatinine 1.1 mg/dl, blood pressure 145/90 mmHg.",
    "Bevacizumab 1.25 mg/0.05 ml injected, third of 3 doses; Lucentis discontinued in {year}.",
    "Drusen and pigment changes; Bruch membrane irregular on OCT, CRT 312 microns.",
    "Type 2 diabetes for 12 years, metformin 850 mg twice daily, NPH insulin 20 units.",
    "Roth spots and cotton wool spots; consider Purtscher retinopathy.",
    "The patient was referred to the glaucoma clinic. Goldmann tonometry 18 mmHg.",
    "Panretinal photocoagulation completed in {year}, 1850 spots, 200 mW, 100 ms.",
    "Old toxoplasmosis scar in the macula; Humphrey 24-2 with superior defect, MD -4.52 dB.",
    "Mild NPDR by the ETDRS scale. Return in 12 months or earlier with symptoms.",
    "Right eye: lens AcrySof SN60WF 21.5 D. Left eye: phakic. No edema.",
    "Stargardt disease versus Best disease; Snellen 20/200.",
    "Dr. ordered a repeat photograph because of poor focus.",
    "Canon CR-2 camera, 45 degrees, two fields, images 1024 to 1031.",
    "No complaint. Mother and brother with glaucoma.",
)
HARMLESS_PT = (
    "Exame de fundo de olho em {day}: sem retinopatia diabética.",
    "Consulta em {day}, retorno em 6 meses. PIO 14/15 mmHg às 09:40.",
    "Doença de Graves, disco óptico corado e bem delimitado.",
    "Anel de Weiss presente; retina aplicada em 360 graus.",
    "Suspeita de doença de Coats em OE; diferencial com doença de Eales.",
    "Acuidade visual 20/40 em OD e 20/25 em OE, escavação 0,3 e 0,4.",
    "HbA1c 8,2 %, creatinina 1,1 mg/dl, pressão arterial 145x90 mmHg.",
    "Bevacizumabe 1,25 mg/0,05 ml, terceira de 3 doses; Lucentis suspenso em {year}.",
    "Diabetes tipo 2 há 12 anos, metformina 850 mg, insulina NPH 20 unidades.",
    "Manchas de Roth e exsudatos algodonosos; pensar em retinopatia de Purtscher.",
    "Tonometria de Goldmann 18 mmHg. Encaminhada ao setor de glaucoma.",
    "Panfotocoagulação concluída em {year}, 1850 disparos, 200 mW, 100 ms.",
    "Cicatriz antiga de toxoplasmose na mácula de OD.",
    "Retinopatia diabética não proliferativa leve. Retorno anual.",
    "Hospital São Paulo, ambulatório de retina. Santa Casa solicitou cópia do exame.",
    "Sem queixas. Mãe e irmão com glaucoma.",
    "Estrias angioides; doença de Stargardt descartada, angiografia em {day}.",
    "Paciente refere melhora da visão após o tratamento.",
    "Sr. paciente orientado a controlar a glicemia.",
    "Drusas duras no polo posterior, membrana de Bruch espessada, OCT com 312 micra.",
)


def note_with_identifier(
    number: int, random: Generator, *, unseen: bool = False
) -> tuple[str, str, tuple[str, ...]]:
    """The note, its kind of identifier, and the texts that must not be readable after masking."""
    portuguese = bool(number % 2)
    seen, others = (WITH_PT, WITH_PT_UNSEEN) if portuguese else (WITH_EN, WITH_EN_UNSEEN)
    templates = others if unseen else seen
    kind, template = templates[number // 2 % len(templates)]
    somebody = person(random, portuguese)
    secrets = tuple(v for k, v in vars(somebody).items() if "{" + k + "}" in template)
    text = template.format(**vars(somebody))
    if random.random() < 0.4:
        text = f"{harmless_note(int(random.integers(1000)) * 2 + portuguese, random, unseen=unseen)} {text}"
    language = "Portuguese" if portuguese else "English"
    return text, f"{kind} {language}", secrets


def harmless_note(number: int, random: Generator, *, unseen: bool = False) -> str:
    """A note that names nobody."""
    seen, others = (HARMLESS_PT, HARMLESS_PT_UNSEEN) if number % 2 else (HARMLESS_EN, HARMLESS_EN_UNSEEN)
    templates = others if unseen else seen
    day, month, year = (int(value) for value in random.integers((1, 1, 2015), (29, 13, 2025)))
    days: list[Callable[[], str]] = [
        lambda: f"{day:02d}/{month:02d}/{year}",
        lambda: f"{year}-{month:02d}-{day:02d}",
    ]
    shown = days[int(random.integers(2))]()
    return templates[number // 2 % len(templates)].format(day=shown, year=year)


__all__ = ["Person", "harmless_note", "note_with_identifier"]
