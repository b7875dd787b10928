"""Sites full of distinctive strings: names, ids, dates, numbers and notes, in cells, file names and folder names.

One for every adapter, of thirty patients each, so that no count is withheld.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

NAMES = ("Quintanilha Zebulon", "Jerônima Wyskowicz", "Balduíno Farnsworth", "Oxalaia Thistlewood")
FOLDER = "exames de Quintanilha Zebulon"
CPF, PHONE, EMAIL, RECORD = (
    "390.533.447-05",
    "98765-43217",
    "jeronima.wysk@hospital-secreto.example",
    "PRT-7719034",
)
BIRTH, VISIT = "17/11/1943", "1987-11-23"
FREE_TEXT = "mora na rua das Palmeiras Bravas"
PATIENTS = 30


def patient_id(number: int) -> str:
    return f"MATRICULA{number:03d}XQ{(number * 7919) % 9973:04d}"


def picture_name(number: int, side: str) -> str:
    return f"wyskowicz_{number:03d}_{side}_19871123"


SECRETS: tuple[str, ...] = (
    *NAMES, *(part for name in NAMES for part in name.split()), FOLDER, CPF, PHONE, EMAIL, RECORD, BIRTH, VISIT,
    FREE_TEXT, "Palmeiras Bravas", "39053344705", "19431117", "MATRICULA0", "wyskowicz_0", "hospital-secreto",
    "EQUIPAMENTO-4471-QZ",
)  # fmt: skip


def note(number: int) -> str:
    name = NAMES[number % len(NAMES)]
    return (
        f"Paciente {name}, nascido em {BIRTH}, CPF {CPF}, tel. {PHONE}, e-mail {EMAIL}, prontuário {RECORD}; "
        f"{FREE_TEXT}. Retinopatia diabética leve. Visto em {VISIT} por Thistlewood."
    )


def _photograph(path: Path, number: int) -> None:
    random = np.random.default_rng(number)
    image = Image.fromarray(random.integers(20, 60, (64, 64, 3), dtype=np.uint8))
    ImageDraw.Draw(image).ellipse((6, 6, 58, 58), fill=(170, int(60 + number % 60), 40))
    exif = Image.Exif()
    exif[0x013B], exif[0x010E] = NAMES[number % len(NAMES)], note(number)
    image.save(path, exif=exif, comment=NAMES[0].encode())


def brset(root: Path) -> Path:
    """BRSET's layout, in a folder called after a patient."""
    folder = root / FOLDER / "brset"
    (folder / "fundus_photos").mkdir(parents=True)
    names = (
        "image_id,patient_id,camera,patient_age,comorbidities,diabetes_time_y,insuline,patient_sex,exam_eye,diabetes,"
        "nationality,DR_SDRG,DR_ICDR,diabetic_retinopathy,macular_edema,scar,quality"
    )
    with (folder / "labels_brset.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names.split(","))
        for number in range(PATIENTS):
            for eye, side in enumerate(("od", "os")):
                name, grade = picture_name(number, side), number % 5
                writer.writerow(
                    [name, patient_id(number), "EQUIPAMENTO-4471-QZ", 40 + number, note(number), 3, "yes",
                     1 + number % 2, 1 + eye, "yes", NAMES[number % 4], grade, grade, int(grade > 0), 0, eye, FREE_TEXT]
                )  # fmt: skip
                _photograph(folder / "fundus_photos" / f"{name}.jpg", 2 * number + eye)
    return folder


def mbrset(root: Path) -> Path:
    """mBRSET's layout, which has no notes but columns that nobody asked for."""
    folder = root / FOLDER / "mbrset"
    (folder / "images").mkdir(parents=True)
    names = (
        "patient,age,sex,dm_time,insulin,educational_level,insurance,file,laterality,final_icdr,final_edema"
    )
    with (folder / "labels_mbrset.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names.split(","))
        for number in range(PATIENTS):
            for eye, side in enumerate(("od", "os")):
                name = f"{picture_name(number, side)}.jpg"
                writer.writerow(
                    [patient_id(number), 40 + number, number % 2, 3, "yes", note(number), NAMES[number % 4], name, side,
                     number % 5, "no"]
                )  # fmt: skip
                _photograph(folder / "images" / name, 2 * number + eye)
    return folder


TABLE: dict[str, Any] = {
    "file": "laudos Zebulon.csv",
    "images": "fotos",
    "columns": {
        "image": "foto", "patient": "matricula", "visit": "visita", "birth_date": "nascimento", "exam_date": "visita",
        "eye": "olho", "icdr": "grau", "note": ["laudo", "endereco"], "camera": "aparelho",
    },
    "date_formats": ["%Y-%m-%d", "%d/%m/%Y"],
}  # fmt: skip


def table(root: Path) -> Path:
    """A hospital's own table with notes, dates of birth and visits."""
    folder = root / FOLDER / "tabela"
    (folder / "fotos").mkdir(parents=True)
    with (folder / str(TABLE["file"])).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["foto", "matricula", "visita", "nascimento", "olho", "grau", "laudo", "endereco", "aparelho"]
        )
        for number in range(PATIENTS):
            for side in ("od", "os"):
                name = picture_name(number, side)
                writer.writerow(
                    [name, patient_id(number), VISIT, BIRTH, side, number % 5, note(number), FREE_TEXT,
                     "EQUIPAMENTO-4471-QZ"]
                )  # fmt: skip
                _photograph(folder / "fotos" / f"{name}.jpg", 2 * number + (side == "os"))
    return folder


def deepeyenet(root: Path) -> Path:
    """Photographs with captions, listed in JSON."""
    folder = root / FOLDER / "deepeyenet"
    (folder / "train_set").mkdir(parents=True)
    entries = []
    for number in range(PATIENTS):
        name = picture_name(number, "od")
        _photograph(folder / "train_set" / f"{name}.jpg", number)
        fields = {"keywords": f"drusen, {NAMES[number % 4]}", "clinical-description": note(number)}
        entries.append({f"eyenet0420/train_set/{name}.jpg": fields})
    (folder / "DeepEyeNet_train.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def dicom(root: Path) -> Path:
    """Ophthalmic photographs whose headers name everybody."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder = root / FOLDER / "dicom"
    folder.mkdir(parents=True)
    for number in range(PATIENTS):
        for side in ("R", "L"):
            pixels = np.random.default_rng(number).integers(40, 200, (64, 64, 3), dtype=np.uint8)
            found = Dataset()
            found.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
            found.SOPInstanceUID = generate_uid(entropy_srcs=[f"{number}{side}"])
            found.PatientID, found.PatientName = patient_id(number), "Wyskowicz^Jeronima"
            found.PatientBirthDate, found.PatientSex, found.PatientAge = "19431117", "F", "044Y"
            found.StudyDate, found.StudyInstanceUID = "19871123", generate_uid(entropy_srcs=[str(number)])
            found.ImageComments, found.PatientAddress = note(number), FREE_TEXT
            found.ReferringPhysicianName, found.DeviceSerialNumber = (
                "Thistlewood^Oxalaia",
                "EQUIPAMENTO-4471-QZ",
            )
            found.ImageLaterality, found.Modality = side, "OP"
            found.Rows, found.Columns, found.SamplesPerPixel = 64, 64, 3
            found.PhotometricInterpretation, found.PlanarConfiguration = "RGB", 0
            found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 8, 8, 7, 0
            found.PixelData = pixels.tobytes()
            found.file_meta = FileMetaDataset()
            found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            found.save_as(folder / f"{picture_name(number, side)}.dcm", enforce_file_format=True)
    return folder


SITES = {"brset": brset, "mbrset": mbrset, "table": table, "deepeyenet": deepeyenet, "dicom": dicom}
OPTIONS: dict[str, dict[str, Any]] = {"table": TABLE}
