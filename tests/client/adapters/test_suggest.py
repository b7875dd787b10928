from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from client.adapters import load
from client.adapters.mapping import read_mapping
from client.adapters.suggest import suggest

# Header, a row of it, and what must be suggested of it.
HEADERS: list[tuple[list[str], list[str], dict[str, str]]] = [
    (
        ["Arquivo", "Paciente", "Data do exame", "Data de nascimento", "Sexo", "Olho", "Grau de retinopatia"],
        ["1.jpg", "p1", "2020-05-01", "1960-05-02", "F", "OD", "2"],
        {"exam_date": "Data do exame", "birth_date": "Data de nascimento", "icdr": "Grau de retinopatia"},
    ),
    (
        ["Nome do arquivo", "Código do paciente", "Idade", "Data de nascimento", "Data do exame", "Laudo"],
        ["1.jpg", "p1", "60", "1960-05-02", "2020-05-01", "Drusas."],
        {"image": "Nome do arquivo", "patient": "Código do paciente", "age": "Idade", "note": "Laudo"},
    ),
    (
        ["Imagem", "Prontuário", "Nascimento", "Gênero", "Lateralidade", "Observações", "Equipamento"],
        ["1.jpg", "p1", "1960-05-02", "M", "OE", "Sem achados.", "Canon"],
        {"image": "Imagem", "patient": "Prontuário", "sex": "Gênero", "camera": "Equipamento"},
    ),
    (
        [
            "Foto",
            "ID do paciente",
            "Data da consulta",
            "Data do diagnóstico",
            "Tempo de diabetes",
            "Insulina",
        ],
        ["1.jpg", "p1", "2020-05-01", "2010-01-01", "10", "sim"],
        {"exam_date": "Data da consulta", "diabetes_duration": "Tempo de diabetes", "insulin": "Insulina"},
    ),
    (
        ["Arquivo da imagem", "Paciente", "Exame data", "Diabetes", "Hospital", "Data do diagnostico"],
        ["1.jpg", "p1", "2020-05-01", "sim", "Norte", "2010-01-01"],
        {"exam_date": "Exame data", "center": "Hospital", "diagnosis_date": "Data do diagnostico"},
    ),
    (
        ["Image name", "Patient ID", "Exam date", "DOB", "Sex", "Laterality", "DR grade", "DME"],
        ["1.jpg", "p1", "2020-05-01", "1960-05-02", "F", "Right", "3", "0"],
        {"exam_date": "Exam date", "birth_date": "DOB", "icdr": "DR grade"},
    ),
    (
        ["filename", "mrn", "Date of birth", "Age", "Gender", "Report", "Set"],
        ["1.jpg", "p1", "1960-05-02", "60", "M", "Normal.", "A"],
        {"image": "filename", "age": "Age", "note": "Report"},
    ),
    (
        ["photo_file", "patient_id", "date_of_birth", "eye", "retinopathy_grade", "macular edema"],
        ["1.jpg", "p1", "1960-05-02", "left", "0", "no"],
        {"image": "photo_file", "icdr": "retinopathy_grade"},
    ),
    (
        ["Image", "Subject", "Date of visit", "Birth date", "Diabetes date", "Visit", "Camera"],
        ["1.jpg", "p1", "2020-05-01", "1960-05-02", "2010-01-01", "v1", "Topcon"],
        {"exam_date": "Date of visit", "birth_date": "Birth date", "diagnosis_date": "Diabetes date"},
    ),
    (
        [
            'Picture "ID"',
            "Person",
            "Study Date",
            "Age (years)",
            "DM duration",
            "Insulin",
            "ICDR",
            "Clinic\x7f",
        ],
        ["1.jpg", "p1", "2020-05-01", "60", "12", "no", "1", "North"],
        {"exam_date": "Study Date", "age": "Age (years)", "icdr": "ICDR"},
    ),
]


def folder_of(folder: Path, header: list[str], row: list[str]) -> Path:
    Image.new("RGB", (8, 8)).save(folder / "1.jpg")
    with (folder / "export.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, row])
    return folder


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    HEADERS,
    ids=lambda value: str(value[0])[:12] if isinstance(value, list) else "",
)
def test_what_is_suggested_of_a_table_loads_it(
    header: list[str], row: list[str], expected: dict[str, str], tmp_path: Path
) -> None:
    options = tomllib.loads(suggest(folder_of(tmp_path, header, row)))["data"]["table"]
    assert options["columns"].items() >= expected.items()
    loaded = load(tmp_path, "table", options=options)
    assert len(loaded.table) == 1
    assert loaded.quarantine.empty
    assert loaded.unread.empty


def test_a_date_that_cannot_be_used_is_left_as_a_comment(tmp_path: Path) -> None:
    text = suggest(folder_of(tmp_path, ["Foto", "Data de nascimento", "Data do diagnóstico"], ["1", "", ""]))
    assert '# birth_date = "Data de nascimento"  # needs exam_date' in text
    assert '# diagnosis_date = "Data do diagnóstico"  # needs exam_date' in text
    text = suggest(folder_of(tmp_path, ["Foto", "Idade", "Nascimento", "Data exame"], ["1", "", "", ""]))
    assert '# birth_date = "Nascimento"  # or this instead of age' in text
    assert 'exam_date = "Data exame"' in text


NAMES = sorted({name for header, _, _ in HEADERS for name in header if name != "Set"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(NAMES), unique_by=str.casefold, max_size=12))
def test_every_suggestion_is_a_mapping(names: list[str], tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ["Imagem", *(n for n in names if n != "Imagem")], [])
    read_mapping(tomllib.loads(suggest(folder))["data"]["table"])
