from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.adapters import Loaded, load
from client.data.images import ImageStore, build_image_store
from client.vault import OVERHEAD, Vault
from shared_model.errors import DataError

VAULT = Vault(bytes(range(32)))


@pytest.fixture
def loaded(write_folder: Callable[..., Path]) -> Loaded:
    return load(write_folder([{} for _ in range(7)]))


@pytest.fixture
def sealed(loaded: Loaded, tmp_path: Path) -> ImageStore:
    return build_image_store(loaded.table, tmp_path / "cache" / "photos.npy", 16, vault=VAULT)[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_sealed_photographs_are_the_plain_ones(loaded: Loaded, sealed: ImageStore, tmp_path: Path) -> None:
    plain, _ = build_image_store(loaded.table, tmp_path / "plain.npy", 16)
    again = ImageStore.open(sealed.path, VAULT)
    for indices in (range(7), [6, 0, 6, -1], []):
        assert np.array_equal(plain.batch(indices), again.batch(indices))
    assert (again.records, again.digests) == (plain.records, plain.digests)
    with pytest.raises(IndexError):
        again.batch([7])


def test_nothing_on_disk_names_a_record_or_shows_a_pixel(loaded: Loaded, sealed: ImageStore) -> None:
    stored = b"".join(contents(sealed.path.parent).values())
    assert sealed.path.stat().st_size == 7 * (3 * 16 * 16 + OVERHEAD)
    assert b"img0000" not in stored
    assert next(iter(sealed.digests.values())).encode() not in stored
    assert sealed.batch([0])[0].tobytes()[300:400] not in stored
    assert {path.stat().st_mode & 0o777 for path in sealed.path.parent.iterdir()} == {0o600}


def test_a_store_opens_with_its_own_key_only(loaded: Loaded, sealed: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another key"):
        ImageStore.open(sealed.path, Vault(bytes(32)))
    with pytest.raises(DataError, match="sealed, and no key was given"):
        ImageStore.open(sealed.path)
    build_image_store(loaded.table, tmp_path / "plain.npy", 16)
    with pytest.raises(DataError, match="should be sealed is not"):
        ImageStore.open(tmp_path / "plain.npy", VAULT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_bit_flipped_in_any_photograph_is_an_error_that_names_its_position(
    sealed: ImageStore, data: st.DataObject
) -> None:
    whole = sealed.path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    sealed.path.write_bytes(flipped)
    damaged = bit // 8 // (len(whole) // 7)
    try:
        store = ImageStore.open(sealed.path, VAULT)
        with pytest.raises(DataError, match="A prepared photograph cannot be used") as caught:
            store.batch(range(7))
        assert caught.value.where == f"{sealed.path}: position {damaged}"
        assert caught.value.fix == "Build it again."
        assert len(store.batch([position for position in range(7) if position != damaged])) == 6
    finally:
        sealed.path.write_bytes(whole)


def test_photographs_cannot_change_places_nor_come_from_another_store(
    loaded: Loaded, sealed: ImageStore, tmp_path: Path
) -> None:
    whole = sealed.path.read_bytes()
    length = len(whole) // 7
    sealed.path.write_bytes(whole[length : 2 * length] + whole[:length] + whole[2 * length :])
    with pytest.raises(DataError, match="put in its place"):
        ImageStore.open(sealed.path, VAULT).batch([0])
    other, _ = build_image_store(loaded.table, tmp_path / "other.npy", 16, vault=VAULT)
    sealed.path.write_bytes(other.path.read_bytes())
    with pytest.raises(DataError, match="put in its place"):
        ImageStore.open(sealed.path, VAULT).batch([0])
    sealed.path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="torn"):
        ImageStore.open(sealed.path, VAULT)


@pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])
def test_a_store_without_some_records_holds_the_others_unchanged_and_no_byte_of_those(
    loaded: Loaded, tmp_path: Path, vault: Vault | None
) -> None:
    Path(loaded.table["image_path"].iloc[4]).write_bytes(b"not one")
    path = tmp_path / "cache" / "photos.npy"
    store, quarantine = build_image_store(loaded.table, path, 16, vault=vault)
    assert quarantine["record"].tolist() == ["img00005"]
    gone = store.batch([1, 3])
    left = store.without({"img00002", "img00004", "img00005", "unknown"})
    assert left is not None
    assert left.records == ("img00001", "img00003", "img00006", "img00007")
    assert left.index.unreadable == ()
    for record in left.records:
        before, after = store.batch([store.index_of(record)]), left.batch([left.index_of(record)])
        assert np.array_equal(before, after)
    assert left.digests == {record: store.digests[record] for record in left.records}
    if vault is None:
        stored = b"".join(contents(path.parent).values())
        assert not any(pixels.tobytes() in stored for pixels in gone)
        assert b"img00002" not in stored
    assert len(contents(path.parent)) == 2
    assert ImageStore.open(path, vault).without({"unknown"}) is not None


def test_a_store_without_all_of_its_records_is_gone(sealed: ImageStore) -> None:
    assert sealed.without(sealed.records) is None
    assert not contents(sealed.path.parent)


def test_a_purge_that_is_interrupted_leaves_the_store_or_none(
    sealed: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(sealed.path.parent)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("client.data.pixels.PixelWriter.finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sealed.without({"img00002"})
    assert contents(sealed.path.parent) == before
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sealed.without({"img00002"})
    with pytest.raises(DataError, match="absent or damaged"):
        ImageStore.open(sealed.path, VAULT)
