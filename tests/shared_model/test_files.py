from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file

import shared_model
from shared_model import files
from shared_model.errors import ConfigError, RunError
from shared_model.files import (
    PAGE_TITLE,
    naming_disk_errors,
    require_page,
    write_bytes,
    write_tensor_file,
    write_text,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "grüße")
    write_text(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "a", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, failing, full)
    with pytest.raises(RunError, match=r"disk is full[\s\S]*free some space"):
        write_bytes(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_an_interruption_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "a", b"old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "could not be written"),
    ],
)
def test_the_systems_refusals_become_one_sentence(number: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=words) as error, naming_disk_errors(tmp_path / "x"):
        raise OSError(number, "refused")
    assert error.value.where == str(tmp_path / "x")
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.EIO, "/data/Maria Silva", "/data/Maria Silva"), f": {os.strerror(errno.EIO)}"),
        (OSError("/data/Maria Silva"), ""),
        (SafetensorError("/data/Maria Silva"), ""),
    ],
)
def test_no_path_and_no_librarys_text_is_in_what_may_leave_a_site(
    error: Exception, what: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError) as caught, naming_disk_errors(tmp_path):
        raise error
    assert caught.value.what == f"the file could not be written{what}"


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="absent"):
        write_bytes(tmp_path / "absent" / "a", b"")


def test_tensors_of_any_layout_are_kept(tmp_path: Path) -> None:
    tensors = {
        "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "scalar": np.float32(3.5).reshape(()),
        "empty": np.zeros((0, 4), dtype=np.float32),
    }
    write_tensor_file(tmp_path / "t.safetensors", tensors)
    found = load_file(tmp_path / "t.safetensors")
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)
    assert all(found[name].shape == tensors[name].shape for name in tensors)


@pytest.mark.parametrize(
    "content", [b"image_id,patient_id\n1,2\n", b"\xff\xd8\xff", b"", b"<!doctype html><title>x</title>"]
)
def test_a_page_never_replaces_a_file_that_is_no_page_of_ours(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ConfigError, match="another file"):
        require_page(tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_bytes() == content


@pytest.mark.parametrize(
    "template",
    ["shared_model/report/head.html", "client/check/check.html", "client/use/frame.html"],
)
def test_every_page_is_known_by_its_title(template: str) -> None:
    """Where this fails a second run with the same --report would refuse its own page."""
    root = Path(shared_model.__file__).parents[1]
    head = (root / template).read_text(encoding="utf-8")
    assert PAGE_TITLE in head
    assert len(head[: head.index(PAGE_TITLE)]) < 400


def test_an_earlier_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(f"<!doctype html>\n<html><head><title>Check of moema {PAGE_TITLE}", encoding="utf-8")
    require_page(page)
    require_page(tmp_path / "new.html")
