"""Every file that could be a photograph is a case, whatever it is called and wherever it lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from client.use.cases import cases_of_folder, cases_of_table
from client.use.finished import Finished
from client.use.grading import grade
from shared_model.errors import DataError
from tests.client.data.dicom.files import photograph


def quiet(done: int, total: int) -> None:
    pass


def test_dicom_files_need_no_ending_and_what_is_hidden_or_of_another_kind_is_passed_over(
    tmp_path: Path,
) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    content = photograph()
    (deep / "IM000001").write_bytes(content)
    (tmp_path / "a" / "one.DCM").write_bytes(content)
    (tmp_path / "two.JPEG").write_bytes(b"")
    (tmp_path / "list.xlsx").write_bytes(b"x")
    (tmp_path / ".hidden.jpg").write_bytes(b"x")
    found = cases_of_folder(tmp_path)
    assert list(found.table["record_id"]) == ["two.JPEG", "a/one.DCM", "a/b/c/IM000001"]
    assert found.nameless == frozenset(found.table["record_id"])
    assert "1 file of other kinds passed over." in found.notices


def test_a_dicom_photograph_is_graded(model: Path, tmp_path: Path) -> None:
    (tmp_path / "IM000001").write_bytes(photograph())
    found = grade(
        Finished.load(model), cases_of_folder(tmp_path), processes=1, progress=quiet, checking=quiet
    )
    assert [case.lost for case in found] == [False]


def test_a_name_that_no_table_can_hold_is_a_case_with_its_reason(data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / "fundus_photos" / "img00000.jpg"
    shutil.copy(source, tmp_path / "good.jpg")
    shutil.copy(source, os.fsdecode(os.fsencode(tmp_path) + b"/Jos\xe9.jpg"))
    found = cases_of_folder(tmp_path)
    assert list(found.table["record_id"]) == ["good.jpg"]
    assert [row.reason for row in found.set_aside] == ["the name of the file is not UTF-8: rename it"]


def test_a_data_folder_read_as_photographs_alone_says_what_would_tell_more(data_folder: Path) -> None:
    assert any("--adapter brset" in said for said in cases_of_folder(data_folder).notices)
    assert len(cases_of_table(data_folder, "brset", mask_notes=True)) == 80


def test_a_broken_table_is_named(data_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    (folder / "labels_brset.csv").write_text("nothing,of,the,kind\n")
    with pytest.raises(DataError, match=r"."):
        cases_of_table(folder, "brset", mask_notes=True)
