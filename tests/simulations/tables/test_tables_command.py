"""`fedfundus-simulate tables`: what it trains, what it writes, and what it says where it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from shared_model.config import load_config
from shared_model.errors import RunError
from simulations.experiments.study import SECOND, STORE
from simulations.tables import efficiency, make
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
QUICK = (
    "--rounds",
    1,
    "--modes",
    "federated",
    "--seeds",
    1,
    "--set",
    "runtime.jobs=1",
    "--set",
    "training.local_steps=1",
)


def table(document: dict[str, Any], number: int) -> dict[str, Any]:
    return next(table for table in document["tables"] if table["table"] == number)


def test_tables_share_their_models_and_are_gone_on_with(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str], trained: list[str]
) -> None:
    out = tmp_path / "out"
    asked = ("tables", "--data", synthetic, "--out", out, *small, *QUICK)
    first = command(*asked, "--which", "2")
    assert first.code == 0, first.err
    assert "4 models; about" in first.err  # the estimate, before anything is trained
    assert len(trained) == 4 * 3  # clip, vision, full, published at three sites
    second = command(*asked, "--which", "1,2", "--json")
    assert second.code == 0, second.err
    assert len(trained) == 4 * 3  # zero-shot CLIP is not trained, the others were
    document = json.loads(second.out)
    assert document == json.loads((out / "tables.json").read_text())
    retrieval, grading = table(document, 1), table(document, 2)
    assert [row["labels"]["model"].partition(",")[0] for row in retrieval["rows"]][:2] == ["CLIP", "CLIP"]
    assert "Leak guard passed in all 4 models" in " ".join(retrieval["notes"])
    zero_shot = retrieval["rows"][0]
    assert zero_shot["labels"]["trained"] == "not at all; random weights make this chance"
    assert all(row["labels"]["weights"] == "random" for row in retrieval["rows"])
    paper = zero_shot["cells"]["paper: R@1 / 5 / 10"]
    assert [cell["value"] for cell in paper] == [0.0, 0.0025, 0.0074]
    for row in grading["rows"]:
        assert all(cell["value"] is not None for cell in row["cells"]["accuracy SDRG / ICDR"])
        assert all(cell["interval"] for cell in row["cells"]["kappa SDRG / ICDR"])
    assert "99.94 / 100.00 / 100.00" in (out / "tables.md").read_text()
    assert "<table>" in (out / "tables.html").read_text()


def test_data_without_notes_leave_rows_that_need_them_not_available(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(synthetic, mute)
    labels = pd.read_csv(mute / "labels_brset.csv")
    indicators = ["diabetic_retinopathy", "macular_edema", "scar", "nevus", "amd", "vascular_occlusion",
                  "hypertensive_retinopathy", "drusens", "hemorrhage", "retinal_detachment", "myopic_fundus",
                  "increased_cup_disc", "other"]  # fmt: skip
    labels.drop(columns=indicators, errors="ignore").to_csv(mute / "labels_brset.csv", index=False)
    shown = command(
        "tables", "--data", mute, "--which", 1, "--out", tmp_path / "out", "--json", *small, *QUICK
    )
    assert shown.code == 0, shown.err
    rows = table(json.loads(shown.out), 1)["rows"]
    assert [row["missing"] for row in rows] == ["these data hold no notes"] * 2 + [""] * 2
    for row in rows:
        assert all(cell["value"] is None for cell in row["cells"]["unimodal R@1 / 5 / 10"])
        assert row["cells"]["paper: R@1 / 5 / 10"]
    assert "not available (these data hold no notes)" in (tmp_path / "out" / "tables.md").read_text()


def test_a_second_data_set_is_read_or_said_to_be_missing(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str], trained: list[str]
) -> None:
    asked = ("tables", "--data", synthetic, "--which", 5, "--out", tmp_path / "out", "--json", *small, *QUICK)
    without = table(json.loads(command(*asked).out), 5)
    assert {row["missing"] for row in without["rows"]} == {"no second data set was given: --second"}
    before = len(trained)
    found = table(json.loads(command(*asked, "--second", synthetic).out), 5)
    assert len(trained) == before
    assert all(row["cells"]["unimodal R@1 / 5 / 10"][0]["value"] is not None for row in found["rows"])
    assert "114 records" in " ".join(found["notes"])
    assert not {STORE, SECOND} & {path.name for path in (tmp_path / "out" / "work").iterdir()}


def test_size_and_speed_of_each_model_are_a_row(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "measured", efficiency.measure)  # three processes take half a minute
    out = tmp_path / "out"
    shown = command("tables", "--data", synthetic, "--which", 6, "--out", out, "--json", *small, *QUICK)
    assert shown.code == 0, shown.err
    rows = table(json.loads(shown.out), 6)["rows"]
    values = [[cell[0]["value"] for cell in row["cells"].values()] for row in rows]
    assert len(values) == 3
    assert all(value > 0 for row in values for value in row)
    assert values[0][0] > values[2][0]  # fusion has more parameters than the photograph's encoder alone


@pytest.mark.slow
def test_size_and_speed_are_measured_in_a_process_of_its_own() -> None:
    config = load_config("tiny", variant="vision", overrides=["model.image.size=64", "model.image.depth=1"])
    found = efficiency.measured(config)
    assert found.parameters["total"] > 0
    assert 0 < found.grading_bytes <= found.training_bytes
    assert set(found.seconds) == {"1", "8"}
    with pytest.raises(RunError, match="ended early"):
        efficiency.measured(config.model_copy(update={"preset": 3}))  # its TOML cannot be read there


@pytest.mark.parametrize("name", ["text", "clip_zero_shot"])
def test_a_variant_without_photographs_or_without_training_is_a_run_like_any_other(
    name: str, command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    rounds = () if name == "clip_zero_shot" else ("--rounds", 1)
    arguments = ("run", "--data", synthetic, "--variant", name, "--out", tmp_path / "out", "--json")
    sets = ("--set", "runtime.jobs=1", "--set", "evaluation.comparison=false")
    shown = command(*arguments, *rounds, *small, *sets)
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    assert document["run"]["rounds"] == len(rounds) // 2
    found = document["models"]["federated"]["all"]
    assert found["icdr"]["quadratic_weighted_kappa"] is not None
    assert (found["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None) == (name == "text")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--which", "7"], "no table '7'"),
        (["--which", "1,two"], "no table 'two'"),
        (["--modes", "centralised"], "no mode 'centralised'"),
        (["--set", "model.inputs=['smell']"], "model.inputs"),
    ],
)
def test_what_cannot_be_asked_for_is_named_before_anything_is_read(
    arguments: list[str], said: str, command: Command, tmp_path: Path
) -> None:
    shown = command("tables", "--data", tmp_path / "nowhere", "--out", tmp_path / "out", *arguments)
    assert shown.code == 2
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_written_into(
    command: Command, synthetic: Path, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    shown = command("tables", "--data", synthetic, "--out", tmp_path)
    assert shown.code == 3
    assert "not empty" in shown.err


def test_a_variant_is_run_by_name(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("run", "--data", synthetic, "--rounds", 1, "--out", out, "--json", *small)
    shown = command(*arguments, "--variant", "vision", "--set", "runtime.jobs=1")
    assert shown.code == 0, shown.err
    assert set(json.loads(shown.out)["models"]) >= {"federated", "pooled", "local:moema", "majority"}
    again = command("evaluate", "--model", out / "model", "--data", synthetic, "--json")
    assert again.code == 0, again.err
    kappa = [
        json.loads(text)["models"]["federated"]["all"]["icdr"]["quadratic_weighted_kappa"]
        for text in (shown.out, again.out)
    ]
    assert kappa[0] == kappa[1]
    unknown = command(*arguments, "--variant", "visoin")
    assert unknown.code == 2
    assert "no variant 'visoin'" in unknown.err
