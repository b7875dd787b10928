from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.store import RunFolder
from shared_model.errors import RunError


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a" / "b")
    weights = {"w": np.arange(3, dtype=np.float32)}
    folder.save_weights("last", weights)
    assert np.array_equal(folder.load_weights("last")["w"], weights["w"])
    folder.save_json("s.json", {"ä": [1, None]})
    assert folder.load_json("s.json") == {"ä": [1, None]}


def test_history_grows_a_line_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.history() == []
    for number in range(3):
        folder.append_history({"round": number, "note": "line\u2028break\n"})
    assert [row["round"] for row in RunFolder(tmp_path).history()] == [0, 1, 2]
    folder.append_quarantine({"reason": "x"})
    assert len(folder.history()) == 3


def test_a_number_that_json_does_not_have_is_never_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        folder.append_history({"loss": float("nan")})
    assert folder.history() == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file"):
        RunFolder(tmp_path / "file" / "run")
