from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.adapters import Loaded, load
from client.data import images
from client.data.images import PIPELINE_VERSION, ImageStore, build_image_store
from client.data.pipeline import prepare
from shared_model.errors import DataError, RunError


@pytest.fixture
def loaded(write_folder: Callable[..., Path]) -> Loaded:
    return load(write_folder([{} for _ in range(7)]))


def test_the_store_holds_every_photograph_as_the_pipeline_prepares_it(loaded: Loaded, tmp_path: Path) -> None:
    store, quarantine = build_image_store(loaded.table, tmp_path / "cache" / "photos.npy", 16, 2)
    assert quarantine.empty
    assert len(store) == 7
    assert (store.size, store.pipeline) == (16, PIPELINE_VERSION)
    for record, path in zip(loaded.table["record_id"], loaded.table["image_path"], strict=True):
        data = Path(path).read_bytes()
        assert np.array_equal(store.batch([store.index_of(record)])[0], prepare(data, 16))
        assert store.digests[record] == hashlib.sha256(data).hexdigest()


def test_a_batch_comes_in_the_order_asked_for_and_is_a_copy(loaded: Loaded, tmp_path: Path) -> None:
    store, _ = build_image_store(loaded.table, tmp_path / "photos.npy", 16)
    batch = store.batch([5, 0, 5])
    assert batch.shape == (3, 3, 16, 16)
    assert np.array_equal(batch[0], batch[2])
    assert not np.array_equal(batch[0], batch[1])
    batch[:] = 0
    assert store.batch([5]).any()
    assert store.batch([]).shape == (0, 3, 16, 16)


def test_the_number_of_workers_changes_no_byte(loaded: Loaded, tmp_path: Path) -> None:
    files = []
    for workers in (1, 3):
        path = tmp_path / f"{workers}.npy"
        build_image_store(loaded.table, path, 16, workers)
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_unreadable_photographs_are_quarantined_and_left_out(loaded: Loaded, tmp_path: Path) -> None:
    paths = [Path(path) for path in loaded.table["image_path"]]
    paths[1].write_bytes(b"no photograph")
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    paths[4].unlink()
    store, quarantine = build_image_store(loaded.table, tmp_path / "photos.npy", 16, lines=loaded.lines)
    assert quarantine["row"].tolist() == [3, 5, 6]
    assert quarantine["record"].tolist() == ["img00002", "img00004", "img00005"]
    assert set(quarantine["column"]) == {"image_id"}
    assert "known kind" in quarantine["reason"][0]
    assert "damaged or truncated" in quarantine["reason"][1]
    assert "absent" in quarantine["reason"][2]
    assert store.records == ("img00001", "img00003", "img00006", "img00007")
    assert store.usable(loaded.table)["record_id"].tolist() == list(store.records)
    assert np.array_equal(store.batch([3])[0], prepare(paths[6].read_bytes(), 16))
    with pytest.raises(KeyError):
        store.index_of("img00002")


def test_progress_is_told_of_every_photograph(loaded: Loaded, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build_image_store(
        loaded.table, tmp_path / "p.npy", 8, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(done, 7) for done in range(1, 8)]


def test_a_store_is_opened_again_as_it_was(loaded: Loaded, tmp_path: Path) -> None:
    built, _ = build_image_store(loaded.table, tmp_path / "photos.npy", 16)
    opened = ImageStore.open(tmp_path / "photos.npy")
    assert opened.records == built.records
    assert opened.digests == built.digests
    assert np.array_equal(opened.batch(range(7)), built.batch(range(7)))


def test_an_interrupted_build_leaves_nothing_and_the_old_store_untouched(
    loaded: Loaded, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    build_image_store(loaded.table, folder / "photos.npy", 16)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_image_store(loaded.table, folder / "photos.npy", 8, progress=interrupt)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_disk_that_fills_up_is_said_and_nothing_is_left(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(images.PixelWriter, "add", full)
    with pytest.raises(RunError, match="disk is full"):
        build_image_store(loaded.table, tmp_path / "cache" / "photos.npy", 16)
    assert not list((tmp_path / "cache").iterdir())


def test_a_disk_that_is_too_small_is_said_before_any_work(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 10))
    with pytest.raises(RunError, match="need 0 MB; 0 MB are free"):
        build_image_store(loaded.table, tmp_path / "photos.npy", 16)


def test_a_folder_that_cannot_be_made_is_said(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RunError, match="Writing failed"):
        build_image_store(loaded.table, tmp_path / "taken" / "photos.npy", 16)


def test_only_the_owner_may_read_the_store(loaded: Loaded, tmp_path: Path) -> None:
    build_image_store(loaded.table, tmp_path / "cache" / "photos.npy", 16)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "cache").iterdir()} == {0o600}


def test_a_site_of_which_no_photograph_is_readable_is_refused(loaded: Loaded, tmp_path: Path) -> None:
    for path in loaded.table["image_path"]:
        Path(path).write_bytes(b"")
    with pytest.raises(DataError, match="None of 7 photographs") as caught:
        build_image_store(loaded.table, tmp_path / "cache" / "photos.npy", 16)
    assert "the file is empty" in caught.value.fix
    assert not list((tmp_path / "cache").iterdir())


def test_an_absent_torn_or_foreign_store_is_refused(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "photos.npy"
    with pytest.raises(DataError, match="absent or damaged"):
        ImageStore.open(path)
    build_image_store(loaded.table, path, 16)
    sidecar = tmp_path / "photos.npy.json"
    described = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**described, "pipeline": "fundus-0"}))
    with pytest.raises(DataError, match="fundus-0"):
        ImageStore.open(path)
    sidecar.write_text(json.dumps({**described, "records": described["records"][1:]}))
    with pytest.raises(DataError, match="torn"):
        ImageStore.open(path)
    sidecar.write_text("[]")
    with pytest.raises(DataError, match="absent or damaged"):
        ImageStore.open(path)
