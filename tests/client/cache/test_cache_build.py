"""What becomes of a build that is interrupted, or that the disk or the configuration leaves no room for."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from client.cache.feature_file import FeatureFile, names_in
from client.cache.listener import heard_by
from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.training.augmentation import Augmentation
from shared_model.config.schema import AugmentationConfig
from shared_model.losses import Batch
from shared_model.model.image_encoder import ImageEncoder
from shared_model.randomness import torch_generator
from tests.client.cache.conftest import DRAWS, Heard

MakeReading = Callable[..., Reading]
MakeDataset = Callable[..., SiteDataset]


def batch_of(dataset: SiteDataset, seed: int = 0) -> Batch:
    rows = dataset.rows_of("train")
    return dataset.batch(rows, Augmentation(AugmentationConfig(), torch_generator(seed, "step")))


def same(one: Batch, other: Batch) -> bool:
    assert one.image_trunk is not None
    assert other.image_trunk is not None
    return torch.equal(one.image, other.image) and torch.equal(one.image_trunk, other.image_trunk)


def kept(folder: Path, kind: str = "image") -> FeatureFile:
    (name,) = [name for name in names_in(folder) if name.startswith(kind)]
    return FeatureFile(folder, name)


def test_a_build_that_is_killed_goes_on_where_it_was(
    reading: MakeReading,
    cached: MakeDataset,
    tmp_path: Path,
    counted: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, folder = reading(DRAWS), tmp_path / "features"
    whole = batch_of(cached(found, TrunkCache(tmp_path / "elsewhere")))
    every = counted.count("image")
    trunk = ImageEncoder.trunk
    child = os.fork()
    if child == 0:
        with monkeypatch.context() as slowed:
            slowed.setattr(ImageEncoder, "trunk", lambda *given: (time.sleep(0.05), trunk(*given))[1])
            cached(found, TrunkCache(folder))
        os._exit(0)
    while not [n for n in names_in(folder) if n.startswith("image")] or len(kept(folder)) < 5:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    done = len(kept(folder))
    assert 5 <= done < every - 1
    counted.clear()
    heard = Heard()
    with heard_by(heard):
        again = batch_of(cached(found, TrunkCache(folder)))
    assert counted.count("image") == every - done
    assert "are there already" in heard.said[0]
    assert same(whole, again)


def test_what_does_not_fit_the_configuration_is_computed_every_time_with_the_same_numbers(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path
) -> None:
    whole = batch_of(cached(reading(DRAWS)))
    size = kept(tmp_path / "features").size
    heard = Heard()
    limited = reading(DRAWS, f"cache.maximum_gb={size / 2 / 1e9}", "cache.text=false")
    with heard_by(heard):
        part = batch_of(cached(limited, TrunkCache(tmp_path / "small")))
    assert same(whole, part)
    assert kept(tmp_path / "small").size <= size / 2
    assert any("cache.maximum_gb of" in said and "computed every time" in said for said in heard.said)


def test_a_disk_that_is_nearly_full_is_left_its_rest(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batch_of(cached(reading(DRAWS)))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 50_020_000, 50_020_000))
    heard = Heard()
    with heard_by(heard):
        part = batch_of(cached(reading(DRAWS, "cache.text=false"), TrunkCache(tmp_path / "small")))
    assert same(whole, part)
    assert kept(tmp_path / "small").size <= 20_000
    assert any("free disk space leaves room" in said for said in heard.said)


def test_no_room_at_all_is_the_plain_way_with_the_same_draws(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path
) -> None:
    whole = batch_of(cached(reading(DRAWS)))
    plain = batch_of(cached(reading(DRAWS, "cache.maximum_gb=0"), TrunkCache(tmp_path / "none")))
    assert torch.equal(whole.image, plain.image)
    assert plain.image_trunk is None
    assert plain.note.trunk is None
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_said_and_done_without(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path
) -> None:
    whole = batch_of(cached(reading(DRAWS)))
    (tmp_path / "taken").write_text("a file")
    heard = Heard()
    with heard_by(heard):
        plain = batch_of(cached(reading(DRAWS), TrunkCache(tmp_path / "taken" / "below")))
    assert torch.equal(whole.image, plain.image)
    assert plain.image_trunk is None
    assert len(heard.said) == 2
    assert all("goes on without it" in said for said in heard.said)
    assert not any(str(tmp_path) in said for said in heard.said)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("this system does not let tests mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_disk_that_fills_in_the_middle_leaves_what_was_finished_and_the_run_goes_on(
    reading: MakeReading,
    cached: MakeDataset,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = reading(DRAWS, "cache.text=false")
    whole = batch_of(cached(found))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage(10**12, 0, 10**12)
    )  # others fill it meanwhile
    heard = Heard()
    with heard_by(heard):
        dataset = cached(found, TrunkCache(small_disk / "features"))
        part = batch_of(dataset)
    assert same(whole, part)
    assert 5 < len(kept(small_disk / "features")) < 40
    assert any("the disk is full" in said for said in heard.said)


def test_a_folder_that_is_read_only_is_read(
    reading: MakeReading, cached: MakeDataset, small_disk: Path, tmp_path: Path, counted: list[str]
) -> None:
    found = reading(DRAWS, "cache.text=false", "cache.maximum_gb=0.00002")
    whole = batch_of(cached(found, TrunkCache(small_disk / "features")))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    count = len(kept(small_disk / "features"))
    assert count > 5
    counted.clear()
    heard = Heard()
    with heard_by(heard):
        part = batch_of(cached(found, TrunkCache(small_disk / "features")))
    assert same(whole, part)
    assert len(kept(small_disk / "features")) == count
    assert counted.count("image") < len(whole.image)


def test_a_write_that_the_system_cuts_off_is_no_crash(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        file = FeatureFile(tmp_path, "image-ab")
        try:
            with file.writing():
                for number in range(100):
                    features = torch.full((5, 8), float(number)).half().numpy()
                    file.write(_key(number), features)
        except Exception as error:
            os._exit(7 if os.strerror(errno.EFBIG) in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    reader = FeatureFile(tmp_path, "image-ab")
    assert len(reader) > 5
    for number in range(len(reader)):
        found = reader.read(_key(number))
        assert found is not None
        assert float(found[0, 0]) == number


def test_several_threads_give_the_same_features(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path
) -> None:
    found = reading(DRAWS)
    one = batch_of(cached(found))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        three = batch_of(cached(found, TrunkCache(tmp_path / "three")))
        little = reading(DRAWS, "cache.text=false", "cache.maximum_gb=0.00002")
        computed_then = batch_of(cached(little, TrunkCache(tmp_path / "little")))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert same(one, three)
    assert same(one, computed_then)


def _key(number: int) -> object:
    from client.cache.feature_file import Key

    return Key(bytes([number]) * 32)
