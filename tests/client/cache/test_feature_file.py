from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.cache.feature_file import FeatureFile, Half, Key
from client.vault import Vault
from shared_model.errors import RunError

VAULT = Vault(bytes(range(32)))
both_ways = pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])


def key(number: int, draw: int = 0) -> Key:
    return Key(hashlib.sha256(str(number).encode()).digest(), draw)


def features(number: int, tokens: int = 5) -> Half:
    return np.random.default_rng(number).normal(size=(tokens, 8)).astype(np.float16)


def filled(folder: Path, vault: Vault | None, count: int = 4) -> FeatureFile:
    file = FeatureFile(folder, "image-ab", vault)
    with file.writing():
        for number in range(count):
            file.write(key(number), features(number, 3 + number))
    return file


def holds(file: FeatureFile, number: int) -> bool:
    found = file.read(key(number))
    return found is not None and np.array_equal(found, features(number, 3 + number))


@both_ways
def test_what_was_written_is_read_here_and_by_whoever_opens_the_file_again(
    tmp_path: Path, vault: Vault | None
) -> None:
    file = filled(tmp_path / "made", vault)
    for reader in (file, FeatureFile(tmp_path / "made", "image-ab", vault)):
        assert len(reader) == 4
        assert all(holds(reader, number) for number in range(4))
        assert reader.read(key(9)) is None
        assert reader.read(key(0, draw=1)) is None
        assert reader.damaged == 0


@both_ways
def test_the_files_are_their_owners_alone_and_as_large_as_was_said(
    tmp_path: Path, vault: Vault | None
) -> None:
    file = filled(tmp_path / "made", vault)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o600}
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
    said = sum(file.entry_bytes(3 + number, 8) for number in range(4))
    assert said <= file.size <= said + 64  # the journal's header


def test_sealed_features_show_neither_values_nor_whose_they_are(tmp_path: Path) -> None:
    filled(tmp_path, VAULT)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(key(number).content in stored for number in range(4))
    assert not any(features(number, 3 + number).tobytes()[:16] in stored for number in range(4))


@both_ways
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_costs_its_own_entry_or_all_but_never_gives_other_numbers(
    tmp_path_factory: pytest.TempPathFactory, vault: Vault | None, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    file = filled(folder, vault)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    reader = FeatureFile(folder, "image-ab", vault)
    found = [reader.read(key(number)) for number in range(4)]
    for number, one in enumerate(found):
        assert one is None or np.array_equal(one, features(number, 3 + number))
    if path == file.path:
        assert sum(one is None for one in found) == reader.damaged == 1
    with reader.writing():  # whatever happened, it can be made whole again
        for number in range(4):
            if key(number) not in reader:
                reader.write(key(number), features(number, 3 + number))
    assert all(holds(FeatureFile(folder, "image-ab", vault), number) for number in range(4))


@both_ways
def test_entries_that_changed_places_or_came_from_another_file_are_not_used(
    tmp_path: Path, vault: Vault | None
) -> None:
    folder = tmp_path / "one"
    file = FeatureFile(folder, "image-ab", vault)
    with file.writing():
        for number in range(2):
            file.write(key(number), features(number))
    whole = file.path.read_bytes()
    half = len(whole) // 2
    file.path.write_bytes(whole[half:] + whole[:half])
    swapped = FeatureFile(folder, "image-ab", vault)
    assert [swapped.read(key(number)) for number in range(2)] == [None, None]
    file.path.write_bytes(whole)
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("ab", "cd"))
    renamed = FeatureFile(folder, "image-cd", vault)
    assert renamed.read(key(0)) is None


@both_ways
def test_a_cut_off_file_loses_what_was_behind_the_cut(tmp_path: Path, vault: Vault | None) -> None:
    file = filled(tmp_path, vault)
    os.truncate(file.path, file.path.stat().st_size - 1)
    reader = FeatureFile(tmp_path, "image-ab", vault)
    assert [holds(reader, number) for number in range(4)] == [True, True, True, False]


def test_another_key_opens_nothing_and_a_plain_reader_reads_nothing_sealed(tmp_path: Path) -> None:
    filled(tmp_path, VAULT)
    for vault in (Vault(bytes(32)), None):
        reader = FeatureFile(tmp_path, "image-ab", vault)
        assert not reader.usable
        assert len(reader) == 0
    with reader.writing():
        reader.write(key(0), features(0, 3))
    assert holds(FeatureFile(tmp_path, "image-ab", None), 0)


def test_a_writer_keeps_others_out_and_they_see_what_it_wrote(tmp_path: Path) -> None:
    file, other = filled(tmp_path, None), FeatureFile(tmp_path, "image-ab", None)
    with file.writing():
        with other.writing(wait=False) as possible:
            assert not possible
        file.write(key(7), features(7, 10))
    with other.writing() as possible:
        assert possible
        assert holds(other, 7)
        other.write(key(8), features(8, 11))
    with file.writing():
        assert holds(file, 8)
        file.write(key(9), features(9, 12))
    assert all(holds(FeatureFile(tmp_path, "image-ab", None), number) for number in (0, 7, 8, 9))


@both_ways
def test_what_is_not_to_be_kept_leaves_no_byte_and_the_rest_stays(
    tmp_path: Path, vault: Vault | None
) -> None:
    file = filled(tmp_path, vault)
    with file.path.open("ab") as stream:  # as a crash between an entry and its line in the journal leaves it
        stream.write(features(3, 6).tobytes())
    before = file.path.read_bytes()
    gone = [file._places[key(number)] for number in (1, 3)]
    stored = [before[place.offset : place.offset + file._length(place)] for place in gone]
    assert file.keep_only({key(0).content, key(2).content}) == 2
    after = FeatureFile(tmp_path, "image-ab", vault)
    assert [holds(after, number) for number in range(4)] == [True, False, True, False]
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(content in left for content in stored)
    assert features(3, 6).tobytes() not in left
    assert file.keep_only({key(0).content, key(2).content}) == 0
    with after.writing():
        after.write(key(1), features(1, 4))
    assert [holds(FeatureFile(tmp_path, "image-ab", vault), n) for n in range(4)] == [True, True, True, False]


@both_ways
def test_a_write_that_is_killed_leaves_what_was_finished(tmp_path: Path, vault: Vault | None) -> None:
    child = os.fork()
    if child == 0:
        file = FeatureFile(tmp_path, "image-ab", vault)
        with file.writing():
            for number in range(10_000):
                file.write(key(number), features(number, 3 + number))
        os._exit(0)
    while FeatureFile(tmp_path, "image-ab", vault).size < 40_000:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    reader = FeatureFile(tmp_path, "image-ab", vault)
    count = len(reader)
    assert count > 10
    assert all(holds(reader, number) for number in range(count))
    with reader.writing():  # the lock went with the process
        reader.write(key(count), features(count, 3 + count))
    assert all(holds(FeatureFile(tmp_path, "image-ab", vault), number) for number in range(count + 1))


def test_a_folder_that_cannot_be_is_an_error_that_names_no_patient(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    file = FeatureFile(tmp_path / "taken" / "below", "image-ab", None)
    assert file.read(key(0)) is None
    with pytest.raises(RunError) as caught, file.writing():
        raise AssertionError("not reached")
    assert str(tmp_path) not in caught.value.what
