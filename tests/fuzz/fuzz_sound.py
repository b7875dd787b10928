"""Small sound files of every format: what hostile ones are made from."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

FORMATS = ("csv", "table", "parquet", "json", "jpeg", "png", "tiff", "bmp", "dicom")
PICTURES = ("jpeg", "png", "tiff", "bmp")
SHARES = {
    "csv": 22,
    "table": 10,
    "parquet": 10,
    "json": 12,
    "jpeg": 18,
    "png": 12,
    "tiff": 3,
    "bmp": 3,
    "dicom": 10,
}
ROWS = 6
Random = np.random.Generator
BRSET_HEADER = (
    "image_id,patient_id,camera,patient_age,comorbidities,diabetes_time_y,insuline,patient_sex,exam_eye,diabetes,"
    "nationality,optic_disc,vessels,macula,DR_SDRG,DR_ICDR,focus,Illuminaton,image_field,artifacts,"
    "diabetic_retinopathy,macular_edema,scar,nevus,amd,vascular_occlusion,hypertensive_retinopathy,drusens,hemorrhage,"
    "retinal_detachment,myopic_fundus,increased_cup_disc,other,quality"
)
TABLE_OPTIONS: dict[str, object] = {
    "images": "fundus_photos",
    "columns": {"image": "picture", "patient": "person", "age": "age", "icdr": "grade", "note": "report"},
}


def csv_bytes(random: Random) -> bytes:
    lines = [BRSET_HEADER]
    for k in range(ROWS):
        age, grade = int(random.integers(20, 90)), int(random.integers(5))
        lines.append(
            f'img{k},{k // 2},Canon CR,{age},"diabetes, hypertension",1{k},yes,1,{1 + k % 2},yes,Brazil,1,1,1,{grade},'
            f"{grade},1,1,1,1,{int(grade > 0)},0,0,0,0,0,0,0,0,0,0,0,0,Adequate"
        )
    return ("\n".join(lines) + "\n").encode()


def table_bytes(random: Random) -> bytes:
    lines = ["picture,person,age,grade,report"]
    lines += [
        f"img{k},p{k // 2},{30 + k},{k % 5},Fundo de olho sem alterações; visão 20/{k}0" for k in range(ROWS)
    ]
    return ("\n".join(lines) + "\n").encode()


def parquet_bytes(random: Random) -> bytes:
    columns = {
        "picture": [f"img{k}" for k in range(ROWS)],
        "person": [f"p{k // 2}" for k in range(ROWS)],
        "age": [30.5 + k for k in range(ROWS)],
        "grade": [k % 5 for k in range(ROWS)],
        "report": [None if k == 2 else "No retinopathy." for k in range(ROWS)],
    }
    return written(pa.table(columns))


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _json(random: Random) -> bytes:
    entries = [
        {
            f"eyenet0420/train_set/img{k}.jpg": {
                "keywords": "drusen, amd",
                "clinical-description": f"{40 + k}-year-old.",
            }
        }
        for k in range(ROWS)
    ]
    return json.dumps(entries, indent=1).encode()


def picture(random: Random, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A lit disc with specks."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    draw.ellipse((4, 2, size[0] - 4, size[1] - 2), fill=(180, 90, 40))
    for x, y in random.integers(8, min(size) - 8, (12, 2)).tolist():
        draw.point((x, y), fill=(250, 220, 120))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg(random: Random) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = int(random.integers(1, 9)), "Canon"
    return saved(picture(random), "JPEG", quality=80, exif=exif, progressive=bool(random.integers(2)))


def png_bytes(random: Random) -> bytes:
    mode = ("RGB", "L", "P", "RGBA", "I;16", "1")[int(random.integers(6))]
    image = picture(random)
    if mode == "I;16":
        return saved(Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200), "PNG")
    return saved(image.convert(mode), "PNG")


def _tiff(random: Random) -> bytes:
    compression = ("raw", "tiff_lzw", "jpeg", "tiff_deflate")[int(random.integers(4))]
    return saved(picture(random), "TIFF", compression=compression)


def bmp_bytes(random: Random) -> bytes:
    return saved(picture(random), "BMP")


def _dicom(random: Random) -> bytes:
    from fuzz_dicom import sound_dicom

    return sound_dicom(random, np.asarray(picture(random)))


SOUND: dict[str, Callable[[Random], bytes]] = {
    "csv": csv_bytes, "table": table_bytes, "parquet": parquet_bytes, "json": _json, "jpeg": _jpeg,
    "png": png_bytes, "tiff": _tiff, "bmp": bmp_bytes, "dicom": _dicom,
}  # fmt: skip
