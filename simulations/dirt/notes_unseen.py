"""Further notes, written after the search for identifiers was, and never shown to whoever wrote it.

They are what clerks and dictation make of notes: other labels, other orders, names without a label after a verb,
capitals throughout. No claim rests on them; their figure says how far the claimed one carries.
"""

from __future__ import annotations

WITH_EN_UNSEEN = (
    ("name", "{name} attended the diabetic eye clinic accompanied by her son."),
    ("name", "Seen with consultant Dr {name}; discharged to annual recall."),
    ("name", "NAME {name} / LEFT EYE / HAZY MEDIA"),
    ("name", "Discussed with Professor {name}, who agrees with observation."),
    ("name", "Thank you for referring Mrs {name}, a pleasant lady with type 2 diabetes."),
    ("date_of_birth", "Birth date: {born}; laser scars superior arcade."),
    ("date_of_birth", "D.O.B. {born} - background retinopathy both eyes."),
    ("phone", "Mobile {phone}, leave a message. Maculopathy R1M1."),
    ("phone", "Tel: {phone} (home). Needs repeat photography, small pupils."),
    ("email", "Letter copied to {email} at the patient's request."),
    ("record_number", "Hospital no. {record}; left vitreous haemorrhage."),
    ("record_number", "Patient ID {record}, exudates within one disc diameter of the fovea."),
)
WITH_PT_UNSEEN = (
    ("name", "Dona {name} compareceu à consulta com queixa de moscas volantes."),
    ("name", "Responsável pelo exame: Dr. {name}, CRM ativo."),
    ("name", "PACIENTE {name} / OLHO ESQUERDO / MEIOS TURVOS"),
    ("name", "Discutido com a Profa. {name}, conduta expectante."),
    ("name", "Acompanhante: {name} (filha). Paciente com hemorragia vítrea."),
    ("date_of_birth", "Nasc.: {born}. Exsudatos duros próximos à fóvea."),
    ("date_of_birth", "Dt. nasc. {born}, retinopatia de fundo em AO."),
    ("phone", "Contato: {phone} (recado com a vizinha). Catarata densa em OE."),
    ("phone", "WhatsApp {phone}. Repetir retinografia sob midríase."),
    ("email", "Cópia do laudo para {email} a pedido."),
    ("cpf", "Documento CPF nº {cpf}; neovasos de disco em OD."),
    ("record_number", "Nº do prontuário: {record}; microaneurismas esparsos."),
)
HARMLESS_EN_UNSEEN = (
    "Wilson disease excluded, no Kayser-Fleischer ring. Next review {day}.",
    "Known Marfan syndrome; lens subluxed. Axial length 26.4 mm.",
    "Optical coherence tomography on {day}: central thickness 287 micrometres, Heidelberg Spectralis.",
    "Ahmed valve in situ, IOP 12 mmHg. Timolol 0.5 % twice a day, Xalatan at night.",
    "Hollenhorst plaque in the inferior temporal arteriole; carotid Doppler requested.",
    "Moorfields protocol followed; Snellen 6/9 and 6/12, Ishihara 17/17.",
    "Avastin given on {day}, batch checked, no complication.",
    "Harada disease in remission since {year}. Sunset glow fundus.",
    "Mild diabetic retinopathy. Mr patient declined dilation.",
    "Photographs 12 of 24 ungradable; Topcon NW400, flash 48.",
)
HARMLESS_PT_UNSEEN = (
    "Doença de Wilson excluída, sem anel de Kayser-Fleischer. Retorno em {day}.",
    "Síndrome de Marfan conhecida; cristalino subluxado. Comprimento axial 26,4 mm.",
    "Tomografia em {day}: espessura central 287 micra, Heidelberg Spectralis.",
    "Válvula de Ahmed bem posicionada, PIO 12 mmHg. Timolol 0,5 % de 12/12 h.",
    "Placa de Hollenhorst em arteríola temporal inferior; Doppler de carótidas solicitado.",
    "Programa Olhar Brasil: triagem em Campo Grande, câmera Eyer, 45 graus.",
    "Avastin aplicado em {day}, sem intercorrências.",
    "Doença de Harada em remissão desde {year}. Fundo em pôr do sol.",
    "Paciente diabética há 20 anos, glicemia 180, peso 82 kg, altura 1,62 m.",
    "Fotos 12 de 24 sem qualidade; Topcon NW400, flash 48.",
)
