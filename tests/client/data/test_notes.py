from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.data.notes import mask_grade

STATES_THE_GRADE = [
    "Diabetic retinopathy is present.",
    "No diabetic retinopathy.",
    "No evidence of retinopathy.",
    "Moderate NPDR in both eyes.",
    "PDR with vitreous haemorrhage.",
    "DR: none.",
    "No DR.",
    "no dr seen.",
    "Dr moderate.",
    "Severe non-proliferative changes.",
    "Proliferative disease.",
    "Background retinopathy.",
    "ICDR 2.",
    "SDRG grade 3.",
    "R2 M1 both eyes.",
    "Grade III.",
    "Stage 4 disease.",
    "Referable.",
    "Retinopatia diabética ausente.",
    "RETINOPATIA DIABÉTICA NÃO PROLIFERATIVA MODERADA.",
    "RDNP leve.",
    "Sem RDP.",
    "Sem sinais de retinopatia.",
    "Grau 2.",
    "Diabetic eye disease is advanced.",
    "Alterações compatíveis com diabetes.",
    "No abnormality is recorded.",
    "Normal fundus.",
    "The fundus is normal.",
    "Fundus unremarkable.",
    "Both eyes look healthy.",
    "Within normal limits.",
    "Fundo de olho normal.",
    "Fundo de olho sem alterações.",
    "Exame dentro da normalidade.",
    "Nada digno de nota.",
    "No abnormal findings.",
    "Ausência de alterações.",
    "Normal.",
    "Moderate.",
    "3",
    "diabetic\u2010retinopathy present",
    "Diabetic and hypertensive retinopathy.",
    "Ret. diabética leve.",
    "Diabetes mellitus without ophthalmic complications.",
    "Diabetes sem complicações oftalmológicas.",
    "E11.319.",
    "CID H36.0.",
    "Negative for DR.",
    "Free of diabetic retinopathy.",
    "RDP tratada com panfotocoagulação.",
    "Nao apresenta retinopatia diabetica.",
    "left eye: none.",
    "OE: moderada.",
]

DOES_NOT = [
    "Macular edema is present.",
    "Hypertensive retinopathy is present.",
    "Retinopatia hipertensiva.",
    "Age-related macular degeneration is present.",
    "Vascular occlusion is present.",
    "Increased cup-to-disc ratio is present.",
    "Another abnormality is present.",
    "Optic disc normal.",
    "Drusas na mácula.",
    "Nevus inferior to the disc.",
    "Patient with diabetes for ten years.",
    "Seen by Dr. Silva.",
    "Cotton-wool spots and hard exudates.",
]


@pytest.mark.parametrize("sentence", STATES_THE_GRADE)
def test_a_sentence_that_states_the_grade_goes_and_its_neighbours_stay(sentence: str) -> None:
    assert mask_grade(sentence) == ""
    around = f"Drusen is present. {sentence.rstrip('.')}. Scar is present."
    assert mask_grade(around) == "Drusen is present. Scar is present."


@pytest.mark.parametrize("sentence", DOES_NOT)
def test_a_sentence_about_something_else_stays(sentence: str) -> None:
    assert mask_grade(sentence) == sentence


def test_a_grade_torn_over_lines_and_full_stops_goes_too() -> None:
    assert mask_grade("NPDR. Moderate.") == ""
    assert mask_grade("ICDR:\n3") == ""
    assert mask_grade("there is moderate\nnon-proliferative\nretinopathy") == ""


ENGLISH = (
    "This 61-year-old patient with type 2 diabetes attended for annual screening. Visual acuity is 20/40 OD and "
    "20/25 OS. The optic disc is pink with a cup-to-disc ratio of 0.4. There are {findings}. {statement} "
    "Hard exudates lie temporal to the fovea. No macular edema. Cataract surgery was advised; the patient agreed. "
    "Follow-up in 6 months."
)
PORTUGUESE = (
    "Paciente de 61 anos, diabético tipo 2 há 12 anos, em acompanhamento. Acuidade visual 20/40 em OD. Disco óptico "
    "corado, escavação 0,4. Há {findings}. {statement} Exsudatos duros temporais à fóvea. Sem edema macular. Indicada "
    "cirurgia de catarata; orientado retorno em 6 meses."
)
STATEMENTS = {
    "There is moderate non-proliferative diabetic retinopathy in both eyes.": ENGLISH,
    "There is no evidence of diabetic retinopathy in either eye.": ENGLISH,
    "Diabetic retinopathy, right eye: mild; left eye: none.": ENGLISH,
    "Assessment: PDR, high risk, previously treated.": ENGLISH,
    "On the ICDR scale this corresponds to grade 2.": ENGLISH,
    "Observa-se retinopatia diabética não proliferativa moderada em ambos os olhos.": PORTUGUESE,
    "Não há sinais de retinopatia diabética.": PORTUGUESE,
    "Conclusão: RDNP leve em OD e ausente em OE.": PORTUGUESE,
    "Classificação ICDR grau 2.": PORTUGUESE,
    "Restante do fundo de olho sem alterações.": PORTUGUESE,
}


@pytest.mark.parametrize(("statement", "text"), STATEMENTS.items())
def test_of_a_long_free_text_only_the_statement_goes(statement: str, text: str) -> None:
    findings = "microaneurysms" if text is ENGLISH else "microaneurismas"
    whole = text.format(findings=findings, statement=statement)
    assert mask_grade(whole) == text.format(findings=findings, statement="").replace("  ", " ")


def test_lines_are_sentences_of_their_own() -> None:
    assert mask_grade("Macula: edema\nDR: moderate\nDisc: pale") == "Macula: edema Disc: pale"


def test_an_empty_note_stays_empty() -> None:
    assert mask_grade("") == mask_grade("  \n ") == ""


PIECES = st.sampled_from([piece.rstrip(".") + "." for piece in (*STATES_THE_GRADE, *DOES_NOT)])


@given(st.lists(PIECES, max_size=8), st.sampled_from([" ", "\n", "\n\n", "  "]))
def test_of_any_mixture_exactly_the_other_sentences_remain(pieces: list[str], between: str) -> None:
    assert mask_grade(between.join(pieces)) == " ".join(piece for piece in pieces if piece in DOES_NOT)


@given(st.text(max_size=400))
def test_any_text_is_masked_and_masking_twice_changes_nothing(text: str) -> None:
    masked = mask_grade(text)
    assert mask_grade(masked) == masked


@pytest.mark.timeout(20)
def test_a_hostile_note_takes_no_more_than_linear_time() -> None:
    for unit in ("no ", "diabetes ", "normal ", "grade ", "retinopat", "sem nada ", "Dr "):
        mask_grade(unit * (40_000 // len(unit)))
