from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.adapters import Loaded, load
from client.data import image_index, image_reading
from client.data.images import ImageStore, build_image_store
from client.data.pipeline import prepare
from client.isolation.pool import Answer, Pool
from client.vault import Vault

VAULT = Vault(bytes(range(32)))
Decoded = list[int]


@pytest.fixture
def loaded(write_folder: Callable[..., Path]) -> Loaded:
    return load(write_folder([{} for _ in range(7)]))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """Grows by one for every photograph that is decoded."""
    count: Decoded = []
    answers = Pool.answers

    def counting(self: Pool, asked: Sequence[str]) -> Iterator[tuple[str, Answer]]:
        count.extend(1 for _ in asked)
        return answers(self, asked)

    monkeypatch.setattr(Pool, "answers", counting)
    return count


def paths(loaded: Loaded) -> list[Path]:
    return [Path(path) for path in loaded.table["image_path"]]


def build(table: pd.DataFrame, path: Path, vault: Vault | None = VAULT) -> tuple[ImageStore, pd.DataFrame]:
    store, quarantine = build_image_store(table, path, 16, vault=vault)
    for record, source in zip(table["record_id"], table["image_path"], strict=True):
        if record in store.digests:
            expected = prepare(Path(source).read_bytes(), 16)
            assert np.array_equal(store.batch([store.index_of(record)])[0], expected)
    return store, quarantine


@pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])
def test_a_store_that_holds_what_is_wanted_is_used_again_as_it_is(
    loaded: Loaded, tmp_path: Path, decoded: Decoded, vault: Vault | None
) -> None:
    paths(loaded)[2].write_bytes(b"no photograph")
    first, quarantined = build(loaded.table, tmp_path / "photos.npy", vault)
    files = {path: path.read_bytes() for path in tmp_path.glob("photos*")}
    decoded.clear()
    told: list[tuple[int, int]] = []
    again, quarantined_again = build_image_store(
        loaded.table, tmp_path / "photos.npy", 16, vault=vault, progress=lambda *done: told.append(done)
    )
    assert not decoded
    assert told == [(7, 7)]
    assert again.digests == first.digests
    assert quarantined_again.equals(quarantined)
    assert {path: path.read_bytes() for path in tmp_path.glob("photos*")} == files


def test_only_what_is_new_or_changed_is_decoded(loaded: Loaded, tmp_path: Path, decoded: Decoded) -> None:
    build(loaded.table.iloc[:5], tmp_path / "photos.npy")
    shutil.copyfile(paths(loaded)[6], paths(loaded)[1])
    decoded.clear()
    store, _ = build(loaded.table, tmp_path / "photos.npy")
    assert len(decoded) == 3
    assert store.records == tuple(loaded.table["record_id"])


def test_a_file_that_was_only_touched_or_moved_is_not_decoded_and_next_time_not_even_read(
    loaded: Loaded, tmp_path: Path, decoded: Decoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(loaded.table, tmp_path / "photos.npy")
    os.utime(paths(loaded)[0], ns=(1, 1))
    moved = paths(loaded)[1].rename(tmp_path / "elsewhere.jpg")
    table = loaded.table.assign(
        image_path=[str(moved) if n == 1 else path for n, path in enumerate(loaded.table["image_path"])]
    )
    decoded.clear()
    build(table, tmp_path / "photos.npy")
    monkeypatch.setattr(image_reading, "_digest", lambda _: pytest.fail("read again"))
    build(table, tmp_path / "photos.npy")
    assert not decoded


def test_a_file_changed_within_its_size_is_noticed_by_its_time(loaded: Loaded, tmp_path: Path) -> None:
    source = tmp_path / "site" / "photo.png"
    table = loaded.table.iloc[:1].assign(image_path=str(source))
    from PIL import Image

    Image.new("RGB", (32, 32), (200, 0, 0)).save(source, compress_level=0)
    first, _ = build(table, tmp_path / "photos.npy")
    pixels, length = first.batch([0]), source.stat().st_size
    Image.new("RGB", (32, 32), (0, 200, 0)).save(source, compress_level=0)
    assert source.stat().st_size == length
    second, _ = build(table, tmp_path / "photos.npy")
    assert not np.array_equal(second.batch([0]), pixels)


def test_records_that_went_are_gone_and_the_order_is_the_tables(
    loaded: Loaded, tmp_path: Path, decoded: Decoded
) -> None:
    build(loaded.table, tmp_path / "photos.npy")
    decoded.clear()
    fewer = loaded.table.iloc[[5, 3, 0]].reset_index(drop=True)
    store, _ = build(fewer, tmp_path / "photos.npy")
    assert store.records == tuple(fewer["record_id"])
    assert not decoded


def test_an_absent_photograph_is_looked_for_again(loaded: Loaded, tmp_path: Path, decoded: Decoded) -> None:
    away = paths(loaded)[3].rename(tmp_path / "away.jpg")
    _, quarantine = build(loaded.table, tmp_path / "photos.npy")
    assert quarantine["record"].tolist() == ["img00004"]
    away.rename(paths(loaded)[3])
    decoded.clear()
    store, quarantine = build(loaded.table, tmp_path / "photos.npy")
    assert quarantine.empty
    assert len(decoded) == 1
    assert len(store) == 7


def test_another_pipeline_size_or_key_builds_everything_anew(
    loaded: Loaded, tmp_path: Path, decoded: Decoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photos.npy"
    build(loaded.table, path)
    for change in ("size", "key", "plain", "pipeline"):
        decoded.clear()
        if change == "pipeline":
            monkeypatch.setattr(image_index, "PIPELINE_VERSION", "fundus-next")
            monkeypatch.setattr("client.data.images.PIPELINE_VERSION", "fundus-next")
        vault = {"key": Vault(bytes(32)), "plain": None, "pipeline": None}.get(change, VAULT)
        build_image_store(loaded.table, path, 8 if change == "size" else 16, vault=vault)
        assert len(decoded) == 7, change


def test_a_damaged_photograph_is_read_again(loaded: Loaded, tmp_path: Path, decoded: Decoded) -> None:
    path = tmp_path / "photos.npy"
    build(loaded.table, path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    decoded.clear()
    build(loaded.table, path)
    assert len(decoded) == 1


def test_what_is_taken_over_does_not_become_younger(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "photos.npy"
    build(loaded.table.iloc[:5], path)
    os.utime(path, ns=(10**9, 10**9))
    store, _ = build(loaded.table, path)
    assert path.stat().st_mtime_ns == 10**9
    store.without({"img00001"})
    assert path.stat().st_mtime_ns == 10**9
    build_image_store(loaded.table, path, 8, vault=VAULT)
    assert path.stat().st_mtime_ns > 10**9
