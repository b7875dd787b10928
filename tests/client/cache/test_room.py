"""The bound of a folder that several processes fill at the same time."""

from __future__ import annotations

import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.cache.feature_file import FeatureFile, Key, names_in
from client.cache.features import KeptFeatures
from client.cache.listener import heard_by
from client.cache.room import Room
from client.cache.trunk_cache import Reading, TrunkCache
from client.data.images import ImageStore
from client.vault import Vault
from shared_model.model.image_encoder import ImageEncoder
from tests.client.cache.conftest import DRAWS, Heard, image_name_of

MakeReading = Callable[..., Reading]
HALF = np.ones((5, 8), dtype=np.float16)
PLENTY = 10**9  # what each file might take alone


def keys(number: int) -> dict[Key, np.ndarray]:
    return {Key(bytes([index]) * 32, number): HALF for index in range(100)}


def size_of(folder: Path) -> int:
    return sum(FeatureFile(folder, name).size for name in names_in(folder))


def in_children(count: int, work: Callable[[int], None]) -> None:
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * count


def test_several_writers_together_stay_within_the_maximum_to_the_last_entry(tmp_path: Path) -> None:
    maximum = 20_000

    def fill(number: int) -> None:
        room = Room(tmp_path, maximum)
        assert KeptFeatures(FeatureFile(tmp_path, f"image-{number}"), PLENTY, room).keep(keys(number))

    in_children(3, fill)
    entry = FeatureFile(tmp_path, "image-0").entry_bytes(*HALF.shape)
    assert maximum - entry - 3 * 64 < size_of(tmp_path) <= maximum


def test_several_writers_together_leave_the_disk_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    free = 50_020_000
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 0, free - size_of(tmp_path)))
    files = [
        KeptFeatures(FeatureFile(tmp_path, name), 20_000, Room(tmp_path, PLENTY))
        for name in ("image-0", "image-1")
    ]
    for number, kept in enumerate(files):
        kept.keep(keys(number))
    assert 19_000 < size_of(tmp_path) <= 20_000


def test_builds_beside_each_other_stay_within_the_maximum_and_say_what_did_not_fit(
    reading: MakeReading,
    records: pd.DataFrame,
    images: ImageStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    TrunkCache(tmp_path / "alone").dataset(records, images, reading(DRAWS, "cache.text=false"))
    maximum = 1.2 * size_of(tmp_path / "alone")
    trunk, folder = ImageEncoder.trunk, tmp_path / "features"
    monkeypatch.setattr(ImageEncoder, "trunk", lambda *given: (time.sleep(0.02), trunk(*given))[1])

    def build(number: int) -> None:
        heard = Heard()
        limited = reading(DRAWS, "cache.text=false", f"cache.maximum_gb={maximum / 1e9}", seed=number)
        with heard_by(heard):
            TrunkCache(folder).dataset(records, images, limited)
        (tmp_path / f"said-{number}").write_text("\n".join(heard.said))

    in_children(2, build)
    assert len(names_in(folder)) == 2
    assert 0.9 * maximum < size_of(folder) <= maximum
    assert all("is computed every time" in (tmp_path / f"said-{number}").read_text() for number in (0, 1))


def test_a_file_that_nobody_read_for_a_week_makes_room_for_another(
    reading: MakeReading, records: pd.DataFrame, images: ImageStore, tmp_path: Path
) -> None:
    folder = tmp_path / "features"
    TrunkCache(folder).dataset(records, images, reading(DRAWS))
    size = sum(FeatureFile(folder, name).size for name in names_in(folder))
    limited = TrunkCache(folder, limit_gb=1.5 * size / 1e9, makes_room=True)
    fresh = limited.dataset(records, images, reading(DRAWS, seed=1))
    assert len(names_in(folder)) == 4  # in use, and so the new one gets what is left
    assert len(FeatureFile(folder, image_name_of(reading(DRAWS, seed=1)))) < 40
    del fresh
    old = image_name_of(reading(DRAWS))
    past = time.time() - 8 * 86_400
    os.utime(folder / f"{old}.features", (past, past))
    TrunkCache(folder, limit_gb=1.5 * size / 1e9, makes_room=True).dataset(
        records, images, reading(DRAWS, seed=1)
    )
    assert old not in names_in(folder)
    assert len(FeatureFile(folder, image_name_of(reading(DRAWS, seed=1)))) > 20


@pytest.mark.parametrize("vault", [Vault(bytes(range(32))), None], ids=["sealed", "plain"])
def test_what_an_exclusion_freed_is_taken_again_though_the_maximum_is_reached(
    tmp_path: Path, vault: Vault | None
) -> None:
    maximum, long = 20_000, np.ones((50, 8), dtype=np.float16)
    old, fresh = ({Key(bytes([first + n]) * 32): long for n in range(50)} for first in (0, 100))
    file = FeatureFile(tmp_path, "image-ab", vault)
    kept = KeptFeatures(file, maximum, Room(tmp_path, maximum))
    kept.keep(old)
    full, size = len(file), file.size
    assert 0 < full < 50
    assert file.spare == 0
    last = list(old)[full - 3 : full]
    assert file.keep_only([key.content for key in old if key not in last]) == 3
    length = file.path.stat().st_size
    for key, half in fresh.items():
        assert kept.keep({key: half})
    assert len(file) == full
    assert (file.size, file.path.stat().st_size) == (size, length)
    other = KeptFeatures(FeatureFile(tmp_path, "image-cd", vault), PLENTY, Room(tmp_path, maximum))
    other.keep(keys(1))
    assert size_of(tmp_path) <= maximum


def test_a_build_after_an_exclusion_fills_what_it_freed(
    reading: MakeReading, records: pd.DataFrame, images: ImageStore, tmp_path: Path
) -> None:
    folder = tmp_path / "features"
    TrunkCache(folder).dataset(records, images, reading(DRAWS, "cache.text=false"))
    whole, (name,) = size_of(folder), names_in(folder)
    file = FeatureFile(folder, name)
    everything = set(file._places)
    gone = max(everything, key=lambda key: file._places[key].offset).content
    file.keep_only({key.content for key in everything} - {gone})
    limited = reading(DRAWS, "cache.text=false", f"cache.maximum_gb={whole / 1e9}")
    TrunkCache(folder).dataset(records, images, limited)
    assert set(FeatureFile(folder, name)._places) == everything
    assert size_of(folder) == whole
