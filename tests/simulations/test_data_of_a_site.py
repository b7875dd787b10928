from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from shared_model.config import Config
from simulations.prepare import prepare

SITE = """
[site]
name = "a"
[data]
folder = "data"
adapter = "table"
[data.table]
file = "export.csv"
images = "fundus_photos"
[data.table.columns]
image = "image_id"
patient = "patient_id"
icdr = "DR_ICDR"
note = "report"
"""


def test_a_simulation_reads_what_a_site_toml_maps(
    data_folder: Path, tmp_path: Path, small_config: Callable[..., Config]
) -> None:
    shutil.copytree(data_folder, tmp_path / "data")
    labels = pd.read_csv(data_folder / "labels_brset.csv", dtype=str)
    labels["report"] = "Patient: Mr. John Smith. Drusen are present. Mild NPDR."
    labels.to_csv(tmp_path / "data" / "export.csv", index=False)
    (tmp_path / "site.toml").write_text(SITE)
    prepared = prepare(tmp_path / "site.toml", small_config(), tmp_path / "work")
    assert len(prepared.table) == len(labels)
    assert prepared.table["sdrg"].isna().all()
    assert set(prepared.table["note"]) == {"Patient: Mr. [name]. Drusen are present. Mild NPDR."}
    assert not prepared.table["masked_note"].str.contains("NPDR").any()
