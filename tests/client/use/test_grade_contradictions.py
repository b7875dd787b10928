"""A grade and a decision never contradict each other, and two files never take each other's place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from model_in_use import Command, SaveModel

from client.use import grading
from shared_model.calibration import Calibration
from shared_model.operating_points import OperatingPoints, Threshold

CLEARS_ALL = OperatingPoints(
    Threshold(0.0, 0.9, 0.95, 40), Threshold(1.0, 0.95, 0.96, 50), Threshold(None, 0.9, None, 7, "too few")
)


def test_no_photograph_reads_as_a_referable_grade_that_is_not_referred(
    save_model: SaveModel, data_folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        grading, "_against", lambda measurement: ()
    )  # noise is no retina; that is not the point here
    model = save_model(calibration=Calibration(points={"icdr": {"image": CLEARS_ALL}}))
    command("grade", data_folder / "fundus_photos", "--model", model, "--clear-unproven")
    with Path("grades.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert {row["decision"] for row in found} <= {"do not refer", "ask a person"}
    referable = [row for row in found if int(row["icdr"]) >= 2]
    assert referable
    assert all("would clear it" in row["reasons"] for row in referable)


@pytest.mark.parametrize("report", ["grades.csv", "./grades.csv", "link.csv"])
def test_table_and_page_in_one_file_are_refused_before_anything_is_read(
    report: str, tmp_path: Path, command: Command
) -> None:
    Path("link.csv").symlink_to("grades.csv")
    said = command("grade", tmp_path / "absent", "--model", tmp_path / "absent", "--report", report)
    assert said.code == 2
    assert "cannot be the same file" in said.err
    assert not Path("grades.csv").exists()
