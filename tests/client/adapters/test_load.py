"""What `load` promises of any adapter, shown with BRSET's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import client.adapters
from client.adapters import adapters, load
from shared_model.errors import ConfigError, DataError

WriteFolder = Callable[..., Path]


def test_a_missing_folder_and_a_missing_photograph_folder_are_named(
    tmp_path: Path, write_folder: WriteFolder
) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "nowhere")
    folder = write_folder([{}])
    with pytest.raises(DataError, match="is not a folder"):
        load(folder / "labels_brset.csv")
    shutil.rmtree(folder / "fundus_photos")
    with pytest.raises(DataError, match="no folder of photographs called fundus_photos/"):
        load(folder)


def test_a_folder_of_which_no_row_is_usable_is_refused(write_folder: WriteFolder) -> None:
    folder = write_folder([{}, {"image_id": "maria silva"}], photographs=False)
    with pytest.raises(DataError) as caught:
        load(folder)
    assert caught.value.what == "No row of the table can be used: all 2 are set aside."
    assert "fedfundus-site quarantine" in caught.value.fix
    assert "fundus_photos/" in caught.value.fix


def test_where_no_row_is_usable_the_fix_is_not_that_of_another_reason(write_folder: WriteFolder) -> None:
    with pytest.raises(DataError) as caught:
        load(write_folder([{"DR_ICDR": "maria silva"}] * 3))
    assert "fundus_photos/" not in caught.value.fix
    assert "the grade" not in str(caught.value)


@pytest.mark.parametrize("rows", [[{}, {"DR_ICDR": "9"}], []])
def test_no_usable_row_may_be_asked_for_with_its_quarantine(
    write_folder: WriteFolder, rows: list[dict[str, str]]
) -> None:
    folder = write_folder([{}])
    columns = load(folder).table.dtypes
    loaded = load(write_folder([{**row, "image_id": "none"} for row in rows]), allow_empty=True)
    assert loaded.table.empty
    assert loaded.table.dtypes.equals(columns)
    assert sorted(set(loaded.quarantine["row"])) == list(range(2, 2 + len(rows)))
    assert any(f"{len(rows)} of {len(rows)} rows" in said for said in loaded.notices) == bool(rows)


def test_an_unknown_adapter_is_refused_with_the_list_of_those_there_are(tmp_path: Path) -> None:
    assert "brset" in adapters()
    with pytest.raises(ConfigError, match="'hospital'") as caught:
        load(tmp_path, adapter="hospital")
    assert "brset" in caught.value.fix


def test_another_adapter_takes_one_file(
    write_folder: WriteFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy.py").write_text("from client.adapters.brset import read as read\n")
    monkeypatch.setattr(client.adapters, "__path__", [*client.adapters.__path__, str(tmp_path)])
    assert set(adapters()) >= {"brset", "toy"}
    assert len(load(write_folder([{}]), adapter="toy").table) == 1


def test_the_papers_unmasked_notes_come_back_by_a_switch(write_folder: WriteFolder) -> None:
    folder = write_folder([{"diabetic_retinopathy": "1", "macular_edema": "1"}])
    masked = load(folder).table.iloc[0]
    assert masked["note"] == "Diabetic retinopathy is present. Macular edema is present."
    assert masked["masked_note"] == "Macular edema is present."
    plain = load(folder, mask_notes=False).table.iloc[0]
    assert plain["masked_note"] == plain["note"]
