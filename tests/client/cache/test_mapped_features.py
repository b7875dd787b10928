"""What one process does to a cache never takes another one down that is reading it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.cache.feature_file import FeatureFile, Half, Key
from client.vault import Vault

COUNT = 60  # of 6 kB each: many pages of the map
NAME = "image-ab"
both_ways = pytest.mark.parametrize("vault", [Vault(bytes(range(32))), None], ids=["sealed", "plain"])


def key(number: int) -> Key:
    return Key(bytes([number]) * 32)


def features(number: int) -> Half:
    return np.full((48, 64), number + 1, dtype=np.float16)


def filled(folder: Path, vault: Vault | None, numbers: range = range(COUNT)) -> FeatureFile:
    file = FeatureFile(folder, NAME, vault)
    with file.writing():
        for number in numbers:
            file.write(key(number), features(number))
    return file


def read_while(folder: Path, vault: Vault | None, change: Callable[[], object]) -> dict[int, bool | None]:
    """What a process that had the file mapped reads after `change` in this one: as it was, not there, or wrong."""
    mapped, ready = os.pipe()
    go, changed = os.pipe()
    answer, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = _reads(folder, vault, ready, go)
            os.write(said, told)
            os._exit(0)
        finally:
            os._exit(1)
    os.read(mapped, 1)
    change()
    os.write(changed, b"x")
    assert os.waitpid(child, 0)[1] == 0  # not ended by a signal
    meanings = {ord("+"): True, ord("-"): None, ord("!"): False}
    found = {number: meanings[one] for number, one in enumerate(os.read(answer, COUNT))}
    for end in (mapped, ready, go, changed, answer, said):
        os.close(end)
    return found


def _reads(folder: Path, vault: Vault | None, ready: int, go: int) -> bytes:
    reader = FeatureFile(folder, NAME, vault)
    reader.read(key(0))
    os.write(ready, b"x")
    os.read(go, 1)
    told = b""
    for number in range(COUNT):
        found = reader.read(key(number))
        as_it_was = found is not None and np.array_equal(found, features(number))
        told += b"+" if as_it_was else b"-" if found is None else b"!"
    return told


def damage(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 255
    with path.open("r+b") as stream:
        stream.write(content)


@both_ways
def test_a_file_begun_anew_leaves_a_reader_its_entries_but_none_that_is_damaged(
    tmp_path: Path, vault: Vault | None
) -> None:
    file = filled(tmp_path, vault)
    size = file.path.stat().st_size

    def begin_anew() -> None:
        damage(file.path, size // COUNT * 7 + 200)
        damage(tmp_path / f"{NAME}.index", 200)
        other = FeatureFile(tmp_path, NAME, vault)
        assert not other.usable
        with other.writing():
            other.write(key(3), features(3))

    found = read_while(tmp_path, vault, begin_anew)
    assert found == {number: None if number == 7 else True for number in range(COUNT)}
    anew = FeatureFile(tmp_path, NAME, vault)
    assert (len(anew), anew.size < size // 10) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == {f"{NAME}.features", f"{NAME}.index"}
    assert file.path.stat().st_mode & 0o777 == 0o600


@both_ways
@pytest.mark.parametrize("left", [range(20), range(20, 40), range(0)], ids=["first", "middle", "none"])
def test_a_reader_outlives_an_exclusion_and_reads_nothing_of_who_is_gone(
    tmp_path: Path, vault: Vault | None, left: range
) -> None:
    file = filled(tmp_path, vault)
    size = file.path.stat().st_size
    before, contents = file.path.open("rb"), {key(number).content for number in left}
    found = read_while(tmp_path, vault, lambda: file.keep_only(contents))
    assert found == {number: True if number in left else None for number in range(COUNT)}
    if not left:
        assert not any(before.read())  # overwritten, also for whoever has the old file open
        assert file.size == 0
    filled(tmp_path, vault, range(left.stop, COUNT))
    again = FeatureFile(tmp_path, NAME, vault)
    assert again.path.stat().st_size == size  # the place at the end was taken again
    kept = [again.read(key(number)) is not None for number in range(COUNT)]
    assert kept == [number in left or number >= left.stop for number in range(COUNT)]
    before.close()


def test_a_file_begun_anew_is_its_writers_alone_from_the_start(tmp_path: Path) -> None:
    file = filled(tmp_path, None)
    damage(tmp_path / f"{NAME}.index", 200)
    other, third = FeatureFile(tmp_path, NAME), FeatureFile(tmp_path, NAME)
    with other.writing():
        with third.writing(wait=False) as possible:
            assert not possible
        other.write(key(1), features(1))
    with file.writing():  # which knew the old one, and adds to the new one
        assert len(file) == 1
        file.write(key(2), features(2))
    assert len(FeatureFile(tmp_path, NAME)) == 2
