"""The page of an evaluation holds photographs and notes, stays with its owner, and names nobody."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from client.data.images import PIPELINE_VERSION, ImageStore
from shared_model.artefact import save_artefact
from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.statistics import Standardisation
from simulations.evaluation_page import Shown, check_page
from simulations.samples import jpeg
from tests.shared_model.test_report import Page
from tests.simulations.conftest import Outcome


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> Path:
    folder = tmp_path_factory.mktemp("page") / "model"
    told = standardisation.to_dict()
    save_artefact(folder, small_objective(seed=5).eval(), tokenizer, small_config(), told, PIPELINE_VERSION)
    return folder


def test_the_command_writes_a_page_for_its_owner_alone_that_names_nobody(
    command: Callable[..., Outcome], model: Path, data_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "eval.html"
    arguments = ("--model", model, "--data", data_folder, "--split", "all", "--adapter", "brset")
    shown = command("evaluate", *arguments, "--report", page, "--json")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("{")  # nothing but the document
    assert "it stays here" in shown.err
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["eval.html"]
    html = page.read_text("utf-8")
    assert not re.search(r"img\d{5}", html)  # BRSET's names of records
    assert not re.search(r"\.jpg|" + re.escape(str(data_folder)), html)
    text = Page(html).text
    assert re.search(r"Line \d+, (left|right) eye", text)
    assert "own photograph" in text
    assert "http" not in html


def test_photographs_on_the_page_are_the_prepared_ones_without_any_header(
    images: ImageStore, records: pd.DataFrame
) -> None:
    record = str(records["record_id"].iloc[0])
    found = Image.open(io.BytesIO(jpeg(images, record)))
    assert found.size == (images.size, images.size)
    assert not found.getexif()
    pixels = images.batch([images.index_of(record)])[0].transpose(1, 2, 0)
    assert np.abs(np.asarray(found, dtype=float) - pixels).mean() < 30


def test_a_note_is_shown_without_identifiers_and_cut_where_it_is_long(
    images: ImageStore, records: pd.DataFrame
) -> None:
    written = "Seen by Dr. Maria Silva, phone (11) 98765-4321. There is a nevus." + " A long remark." * 40
    table = records.assign(note=pd.Series([written] * len(records), dtype="str"))
    record = str(table["record_id"].iloc[3])
    note = Shown(table, images, {}).note(record)
    assert "Silva" not in note
    assert "98765" not in note
    assert "There is a nevus." in note
    assert note.endswith("…")


def test_a_record_is_its_line_and_without_one_its_place(images: ImageStore, records: pd.DataFrame) -> None:
    row = records[records["eye"].notna()].iloc[0]
    record, eye = str(row["record_id"]), "left eye" if row["eye"] else "right eye"
    place = list(records["record_id"]).index(record) + 1
    assert Shown(records, images, {record: 1234}).name(record) == f"Line 1,234, {eye}"
    assert Shown(records, images, {}).name(record) == f"Usable record {place}, {eye}"


def test_a_record_without_a_note_shows_its_findings(images: ImageStore, records: pd.DataFrame) -> None:
    bare = records.assign(note=pd.Series([None] * len(records), dtype=records["note"].dtype))
    findings = [name for name in bare.columns if name.startswith("finding_")]
    bare[findings] = 0.0
    bare["finding_nevus"] = 1.0
    record = str(bare["record_id"].iloc[0])
    assert Shown(bare, images, {}).recorded(record) == "No note; findings: nevus."
    bare["finding_nevus"] = 0.0
    assert Shown(bare, images, {}).recorded(record) == "No note."


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    command: Callable[..., Outcome], model: Path, data_folder: Path, tmp_path: Path
) -> None:
    shown = command("evaluate", "--model", model, "--data", data_folder, "--report", tmp_path)
    assert shown.code != 0
    assert "--report names a folder" in shown.err
    with pytest.raises(ConfigError, match="folder of --report does not exist"):
        check_page(tmp_path / "none" / "eval.html")
    check_page(None)
