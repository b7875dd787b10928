"""Mistakes of whoever asks for grades: one message each, and nothing written or lost."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from model_in_use import Command


def test_weights_of_another_architecture_are_named(
    model: Path, photographs: Path, tmp_path: Path, command
) -> None:
    other = tmp_path / "other"
    shutil.copytree(model, other)
    text = (other / "config.toml").read_text()
    (other / "config.toml").write_text(text.replace("joint = 32", "joint = 16"))
    said = command("grade", photographs, "--model", other)
    assert said.code == 2
    assert "another architecture" in said.err
    assert not Path("grades.csv").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder.mkdir(), "The folder is empty"),
        (
            lambda folder: (folder.mkdir(), (folder / "notes.txt").write_text("x")),
            "no photograph in the folder",
        ),
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.write_text("x"), "is not a folder"),
    ],
)
def test_a_folder_with_nothing_to_grade_is_one_message(
    make, words: str, model: Path, tmp_path: Path, command: Command
) -> None:
    make(tmp_path / "here")
    said = command("grade", tmp_path / "here", "--model", model)
    assert said.code == 2
    assert words in said.err
    assert "fix:" in said.err
    assert not Path("grades.csv").exists()


def test_where_none_can_be_read_the_table_says_why_for_each(
    model: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "here").mkdir()
    for name in ("a.jpg", "b.dcm"):
        (tmp_path / "here" / name).write_bytes(b"nothing of the kind")
    said = command("grade", tmp_path / "here", "--model", model)
    assert said.code == 2
    assert "None of 2 photographs" in said.err
    with Path("grades.csv").open(encoding="utf-8", newline="") as file:
        assert [row["photograph"] for row in csv.DictReader(file)] == ["a.jpg", "b.dcm"]


def test_a_file_that_is_not_an_earlier_table_is_not_replaced(
    model: Path, photographs: Path, command: Command
) -> None:
    Path("grades.csv").write_text("somebody,elses\n")
    said = command("grade", photographs, "--model", model)
    assert said.code == 2
    assert Path("grades.csv").read_text() == "somebody,elses\n"
    Path("grades.csv").unlink()
    assert command("grade", photographs, "--model", model).code == 1
    assert command("grade", photographs, "--model", model).code == 1  # its own is


def test_a_place_that_cannot_be_written_is_said_before_anything_is_read(
    model: Path, photographs: Path, command: Command
) -> None:
    said = command("grade", photographs, "--model", model, "--report", "absent/grade.html")
    assert said.code == 2
    assert "does not exist" in said.err
    assert not Path("grades.csv").exists()
