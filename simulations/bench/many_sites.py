"""A data set of as many patients as wanted, in seconds: small crops of few drawn photographs, no two alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE

PIXELS = 160  # longer side; more than the tiny preset reads


def multiplied(drawn: Path, folder: Path, patients: int) -> Path:
    """`folder` with `patients` patients of one photograph each, in the layout and with the labels of `drawn`."""
    table = pd.read_csv(drawn / TABLE, dtype=str, keep_default_na=False)
    files = {path.stem: path for path in (drawn / PHOTOGRAPHS).iterdir()}
    table = table[table["image_id"].isin(files)].drop_duplicates("image_id").reset_index(drop=True)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / PHOTOGRAPHS).mkdir(parents=True)
    rows = []
    for number in range(patients):
        row = table.iloc[number % len(table)].copy()
        source = files[row["image_id"]]
        row["image_id"], row["patient_id"] = f"img{number:06d}", str(number)
        _crop(source, partial / PHOTOGRAPHS / f"{row['image_id']}.jpg", number // len(table))
        rows.append(row)
    pd.DataFrame(rows).to_csv(partial / TABLE, index=False)
    partial.rename(folder)
    return folder


def _crop(source: Path, target: Path, cut: int) -> None:
    with Image.open(source) as image:
        image.draft("RGB", (2 * PIXELS, 2 * PIXELS))
        small = image.convert("RGB")
        small.thumbnail((PIXELS + 2 * cut, PIXELS + 2 * cut))
        crop = small.crop((cut, cut, small.width - cut, small.height - cut))
    crop.info.clear()  # the drawn file's padding would be copied as a comment of 64 KB
    crop.save(target, quality=90)
