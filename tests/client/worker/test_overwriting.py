"""State written over the state before it: the same file as a new one, and never half of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from client.worker.last_rounds import Asked, LastRounds
from client.worker.overwriting import HALFWAY, overwrite
from shared_model.errors import DataError, RunError
from shared_model.exchange import Payload, local_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective

NOTHING = Payload({}, {})


def drawn(seed: int, count: int = 3) -> Arrays:
    random = np.random.default_rng(seed)
    tensors = {f"t{i}": random.normal(size=(i + 1, 3)).astype(np.float32) for i in range(count)}
    return tensors | {
        "empty": np.empty((0, 4), np.float32),
        "step": np.asarray(random.normal(), np.float32),
        "small": random.integers(-9, 9, 5).astype(np.int8),
        "turned": random.normal(size=(4, 2)).astype(np.float32).T,
    }


@pytest.mark.parametrize("count", [3, 1100], ids=["a few", "more than one call takes"])
def test_the_file_is_the_one_that_would_have_been_written_anew(tmp_path: Path, count: int) -> None:
    old, new = tmp_path / "round-1.safetensors", tmp_path / "round-2.safetensors"
    save_file(drawn(0, count), old)
    assert overwrite(old, new, drawn(1, count))
    found = {name: np.array(array, order="C") for name, array in drawn(1, count).items()}
    assert new.read_bytes() == save(found)
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


@pytest.mark.parametrize(
    "other",
    [{"t0": np.zeros((1, 3), np.float32)}, drawn(1, 4), drawn(1) | {"t0": np.zeros((3, 1), np.float32)}, {}],
    ids=["fewer", "more", "another shape", "none"],
)
def test_another_layout_leaves_the_file_alone(tmp_path: Path, other: Arrays) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    save_file(drawn(0), old)
    before = old.read_bytes()
    assert not overwrite(old, new, other)
    assert not overwrite(tmp_path / "absent", new, other)
    assert old.read_bytes() == before
    assert not new.exists()


def test_a_system_that_writes_a_little_at_a_time_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux does beyond 2 GiB, which no test should write."""
    whole = os.pwritev

    def a_little(file: int, buffers: list[memoryview], offset: int) -> int:
        return whole(file, [buffers[0][:7]], offset)

    old, new = tmp_path / "old", tmp_path / "new"
    save_file(drawn(0), old)
    monkeypatch.setattr(os, "pwritev", a_little)
    assert overwrite(old, new, drawn(1))
    assert new.read_bytes() == save({name: np.array(array, order="C") for name, array in drawn(1).items()})


def test_a_simulated_sites_state_goes_from_round_to_round_in_one_file(
    small_objective: Callable[..., Objective], tmp_path: Path
) -> None:
    objective = small_objective()
    rounds = LastRounds(tmp_path, resumable=False)
    initial = {name: array.copy() for name, array in local_tensors(objective).items()}
    inodes = set()
    for number in (1, 2, 3):
        kept = rounds.start(number, objective, initial)
        assert kept is None if number == 1 else kept is not None and kept["m"][0] == number - 1
        rounds.keep(Asked(number, "x"), NOTHING, objective, {"m": np.full(4, number, np.float32)})
        (path,) = tmp_path.iterdir()
        inodes.add(os.stat(path).st_ino)
    assert len(inodes) == 1
    assert load_file(path)["moments/m"].tolist() == [3.0] * 4


def test_state_cut_short_is_not_taken_for_a_site_that_begins(
    small_objective: Callable[..., Objective], tmp_path: Path
) -> None:
    objective = small_objective()
    rounds = LastRounds(tmp_path, resumable=False)
    rounds.keep(Asked(1, "x"), NOTHING, objective, {})
    (path,) = tmp_path.iterdir()
    path.rename(path.with_name(f"round-2.safetensors{HALFWAY}"))
    with pytest.raises(DataError, match="damaged"):
        rounds.start(2, objective, {})


def test_a_deployed_site_keeps_the_round_before(
    small_objective: Callable[..., Objective], tmp_path: Path
) -> None:
    objective = small_objective()
    rounds = LastRounds(tmp_path)
    for number in (1, 2, 3):
        rounds.keep(Asked(number, "x"), NOTHING, objective, {"m": np.full(4, number, np.float32)})
    assert {path.name for path in tmp_path.iterdir()} == {"round-2.safetensors", "round-3.safetensors"}
    kept = rounds.start(3, objective, {})
    assert kept is not None
    assert kept["m"][0] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    rounds = LastRounds(tmp_path / "there", resumable=False)
    (tmp_path / "there").mkdir(mode=0o500)
    with pytest.raises(RunError, match="cannot be written"):
        rounds._files.write("a", {"x": np.zeros(1, np.float32)})
