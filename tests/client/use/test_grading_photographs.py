"""`fedfundus-site grade`: every photograph is a row, graded as an evaluation grades it, and nothing else leaves."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_in_use import CALIBRATION, Command, SaveModel

from client.data.images import ImageStore
from client.inference.predict import predict
from client.use import reading
from client.use.finished import NOTICE
from shared_model.artefact import load_artefact
from shared_model.metrics.calibration import calibrated
from shared_model.progress import RunProgress
from simulations import evaluate


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def probabilities(row: dict[str, str]) -> list[float]:
    return [float(row[f"icdr_p{grade}"]) for grade in range(5)]


def test_a_torn_photograph_is_a_row_and_the_good_ones_are_graded(
    model: Path, photographs: Path, command: Command
) -> None:
    said = command("grade", photographs, "--model", model, "--report", "grade.html", "--json")
    assert said.code == 1
    found = rows(Path("grades.csv"))
    assert len(found) == 7
    assert found[0]["photograph"] == "monday/torn.jpg"
    assert "truncated" in found[0]["reasons"]
    assert found[0]["decision"] == "ask a person"
    assert found[0]["icdr"] == ""
    assert {row["photograph"] for row in found[1:]} >= {"monday/img00000.jpg", "tuesday/late/img00005.jpg"}
    confidence = [float(row["icdr_confidence"]) for row in found[1:]]
    assert confidence == sorted(confidence)
    document = json.loads(said.out)
    assert document["use"] == NOTICE
    assert document["summary"]["photographs"] == 7
    assert document["summary"]["graded"] == 6
    # Noise is no retina: the model's answer is not taken for one.
    assert document["summary"]["reasons"]["not_fundus"] == 6
    page = Path("grade.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 6
    assert NOTICE in page
    assert "monday/torn.jpg" in page


def test_table_and_page_are_the_owners_alone(model: Path, photographs: Path, command: Command) -> None:
    command("grade", photographs, "--model", model, "--report", "grade.html")
    for name in ("grades.csv", "grade.html"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600


def test_the_terminal_counts_and_names_no_case(model: Path, photographs: Path, command: Command) -> None:
    said = command("grade", photographs, "--model", model)
    assert NOTICE in said.out
    assert "ask a person" in said.out
    assert "img0000" not in said.out
    assert "1 file of other kinds passed over" in said.out
    assert "grades.csv" in said.out


def test_neither_names_nor_patients_are_in_the_json(model: Path, data_folder: Path, command: Command) -> None:
    said = command("grade", data_folder, "--adapter", "brset", "--model", model, "--json")
    assert said.code == 0
    assert "img0" not in said.out
    assert str(data_folder) not in said.out
    document = json.loads(said.out)
    assert [case["case"] for case in document["cases"]] == list(range(1, 81))
    assert [patient["patient"] for patient in document["patients"]] == list(range(1, 41))
    told = {row["case"]: row["patient"] for row in rows(Path("grades.csv"))}
    for patient in document["patients"]:
        assert len({told[str(case)] for case in patient["cases"]}) == 1


def test_grades_are_those_of_an_evaluation_of_the_photographs_alone(
    model: Path, data_folder: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probabilities too, but for rounding: batches of other photographs change the last digits."""
    predicted = []
    monkeypatch.setattr(
        evaluate, "predict", lambda *a, **k: predicted.append(predict(*a, **k)) or predicted[0]
    )
    from rich.console import Console

    with RunProgress(Console(stderr=True)) as progress:
        evaluate.evaluate_model(model, data_folder, "all", progress)
    command("grade", data_folder / "fundus_photos", "--model", model)
    found = {row["photograph"].removesuffix(".jpg"): row for row in rows(Path("grades.csv"))}
    assert len(found) == 80
    whole = predicted[0]
    scores = calibrated(whole.scores("icdr", "image"), CALIBRATION.of("icdr", "image"))
    for record, grade, expected in zip(whole.record, whole.predicted("icdr", "image"), scores, strict=True):
        assert int(found[record]["icdr"]) == grade
        assert found[record]["read_from"] == "image"
        assert probabilities(found[record]) == pytest.approx(expected, abs=2e-6)


def test_notes_and_values_are_used_where_there_are_any(
    model: Path, data_folder: Path, images: ImageStore, command: Command
) -> None:
    command("grade", data_folder, "--adapter", "brset", "--model", model)
    found = {row["photograph"]: row for row in rows(Path("grades.csv"))}
    read = {row["read_from"] for row in found.values()}
    assert "image + text + structured" in read
    assert "image" in {part for text in read for part in text.split(" + ")}
    artefact = load_artefact(model, images.pipeline)
    assert artefact.calibration == CALIBRATION
    command("grade", data_folder / "fundus_photos", "--model", model, "--out", "alone.csv")
    alone = {f"fundus_photos/{row['photograph']}": row for row in rows(Path("alone.csv"))}
    differ = [n for n, row in found.items() if probabilities(row) != probabilities(alone[n])]
    assert set(differ) == {name for name, row in found.items() if row["read_from"] != "image"}
    assert "text" in found[differ[0]]["read_from"] or "structured" in found[differ[0]]["read_from"]


def test_rows_that_are_set_aside_and_photographs_that_no_row_names_are_cases(
    model: Path, data_folder: Path, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    labels = pd.read_csv(folder / "labels_brset.csv", dtype=str)
    labels.loc[0, "DR_ICDR"] = "secret"
    labels.drop(index=5).to_csv(folder / "labels_brset.csv", index=False)
    (folder / "fundus_photos" / "img00002.jpg").unlink()
    said = command("grade", folder, "--adapter", "brset", "--model", model, "--json")
    assert said.code == 1
    found = rows(Path("grades.csv"))
    assert len(found) == 80
    lost = {row["photograph"]: row["reasons"] for row in found if row["icdr"] == ""}
    assert set(lost) == {"img00000", "img00002"}
    assert "absent" in lost["img00002"]
    bare = next(row for row in found if row["photograph"].endswith("img00005.jpg"))
    assert (bare["patient"], bare["read_from"]) == ("", "image")
    assert "secret" not in said.out


def test_without_calibration_every_photograph_is_a_persons(
    save_model: SaveModel, data_folder: Path, command: Command
) -> None:
    said = command("grade", data_folder / "fundus_photos", "--model", save_model(calibration=None), "--json")
    assert said.code == 0
    document = json.loads(said.out)
    assert document["summary"]["decisions"]["ask a person"] == 80
    assert document["summary"]["reasons"]["uncalibrated"] == 80


def test_a_model_is_asked_only_for_what_it_was_trained_on(
    save_model: SaveModel, photographs: Path, command: Command, standardisation
) -> None:
    counts = {task: list(count) for task, count in standardisation.class_counts.items()}
    unskilled = save_model(class_counts={**counts, "sdrg": [0] * 5})
    command("grade", photographs, "--model", unskilled)
    assert "sdrg" not in Path("grades.csv").read_text().splitlines()[0]
    said = command("grade", photographs, "--model", save_model(class_counts=dict.fromkeys(counts, [0] * 5)))
    assert said.code == 2
    assert "trained without a single grade" in said.err


def test_a_model_that_reads_no_photographs_grades_none(
    save_model: SaveModel, photographs: Path, command: Command
) -> None:
    blind = save_model("model.inputs=['text','structured']")
    said = command("grade", photographs, "--model", blind)
    assert said.code == 2
    assert "reads no photographs" in said.err


def test_an_excluded_patient_is_not_graded(
    model: Path, data_folder: Path, tmp_path: Path, command: Command
) -> None:
    assert command("init", tmp_path, "--data", data_folder, "--name", "paulista").code == 0
    site = ("--config", tmp_path / "site.toml")
    assert command("exclude", "3", *site).code == 0
    said = command("grade", *site, "--model", model)
    assert said.code == 0
    assert "2 photographs of excluded patients left out" in said.out
    patients = {row["patient"] for row in rows(Path("grades.csv"))}
    assert len(patients) == 39
    assert "3" not in patients


def test_both_a_folder_and_a_site_or_neither_is_a_mistake(
    model: Path, photographs: Path, command: Command
) -> None:
    assert "one of the two" in command("grade", "--model", model).err
    assert "one of the two" in command("grade", photographs, "--config", "site.toml", "--model", model).err


@pytest.mark.parametrize("command_name", ["grade", "find"])
def test_an_interruption_leaves_nothing_half_written(
    command_name: str,
    model: Path,
    photographs: Path,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "predict", interrupted)
    note = ["edema"] if command_name == "find" else []
    said = command(command_name, *note, photographs, "--model", model, "--report", "page.html")
    assert said.code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_too(model: Path, data_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for path in (data_folder / "fundus_photos").iterdir():
        for copy in range(6):
            shutil.copy(path, folder / f"{path.stem}-{copy}.jpg")
    arguments = [
        sys.executable,
        "-m",
        "client",
        "grade",
        str(folder),
        "--model",
        str(model),
        "--processes",
        "1",
    ]
    process = subprocess.Popen(
        arguments, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("grading"):
            break
    os.kill(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said + out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many"]


def test_patients_are_cleared_only_where_every_photograph_is() -> None:
    from client.use.decision import ASK, CLEAR, REFER
    from client.use.grading import Graded
    from client.use.patients import patients_of

    def case(patient: str, eye: str, decision: str, grade: int | None) -> Graded:
        scores = None if grade is None else {"icdr": tuple(np.eye(5)[grade].tolist())}
        return Graded(1, "r", patient, "", eye, decision, (), (), scores)

    found = patients_of(
        [
            case("a", "left", CLEAR, 0),
            case("a", "right", REFER, 3),
            case("b", "left", CLEAR, 1),
            case("b", "right", ASK, None),
            case("c", "", CLEAR, 0),
            case("", "left", REFER, 4),
            case("a", "right", ASK, 4),
        ],
        "icdr",
    )
    told = {p.patient: (p.decision, p.eyes["left"], p.eyes["right"], p.unknown, p.one_eye) for p in found}
    assert told == {
        "a": (REFER, 0, 4, None, False),
        "b": (ASK, 1, None, None, True),
        "c": (CLEAR, None, None, 0, False),
    }
