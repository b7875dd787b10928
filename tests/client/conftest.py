"""Small folders in BRSET's layout, with whatever header, encoding and dirt a test wants."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

HEADER = [
    "image_id",
    "patient_id",
    "camera",
    "patient_age",
    "comorbidities",
    "diabetes_time_y",
    "insuline",
    "patient_sex",
    "exam_eye",
    "diabetes",
    "nationality",
    "optic_disc",
    "vessels",
    "macula",
    "DR_SDRG",
    "DR_ICDR",
    "focus",
    "Illuminaton",
    "image_field",
    "artifacts",
    "diabetic_retinopathy",
    "macular_edema",
    "scar",
    "nevus",
    "amd",
    "vascular_occlusion",
    "hypertensive_retinopathy",
    "drusens",
    "hemorrhage",
    "retinal_detachment",
    "myopic_fundus",
    "increased_cup_disc",
    "other",
    "quality",
]

CLEAN = dict.fromkeys(HEADER[20:33], "0") | {
    "camera": "Canon CR",
    "patient_age": "57",
    "comorbidities": "diabetes1, hypertension",
    "diabetes_time_y": "10",
    "insuline": "yes",
    "patient_sex": "1",
    "exam_eye": "2",
    "diabetes": "yes",
    "nationality": "Brazil",
    "optic_disc": "1",
    "vessels": "1",
    "macula": "1",
    "DR_SDRG": "0",
    "DR_ICDR": "0",
    "focus": "1",
    "Illuminaton": "1",
    "image_field": "1",
    "artifacts": "1",
    "quality": "Adequate",
}

Row = Mapping[str, str]
WriteFolder = Callable[..., Path]


def photograph(path: Path, shade: int = 0) -> None:
    """A lit disc on black, another one for every shade."""
    image = Image.new("RGB", (32, 24))
    ImageDraw.Draw(image).ellipse((6, 2, 26, 22), fill=(200, 40 + shade % 200, shade // 200 % 200))
    image.save(path)


@pytest.fixture
def write_folder(tmp_path: Path) -> WriteFolder:
    def write(
        rows: Sequence[Row],
        *,
        header: Sequence[str] = HEADER,
        rename: Mapping[str, str] | None = None,
        table: str = "labels_brset.csv",
        encoding: str = "utf-8",
        delimiter: str = ",",
        photographs: bool = True,
    ) -> Path:
        """rows: what differs from CLEAN, of image imgNNNNN and patient N where they do not say otherwise."""
        folder = tmp_path / "site"
        (folder / "fundus_photos").mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerow([(rename or {}).get(name, name) for name in header])
        for number, row in enumerate(rows, start=1):
            full = {"image_id": f"img{number:05d}", "patient_id": str(number), **CLEAN, **row}
            writer.writerow([full.get(name, "") for name in header])
            if photographs:
                photograph(folder / "fundus_photos" / f"img{number:05d}.jpg", number)
        (folder / table).write_text(text.getvalue(), encoding=encoding, newline="")
        return folder

    return write


@pytest.fixture
def idrid() -> Path:
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "idrid"
    if not folder.is_dir():
        pytest.skip("the real photographs (../shared/data/idrid) are not on this machine")
    return folder
