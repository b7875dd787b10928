from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.vault import Vault
from client.worker.local_state import LocalState
from shared_model.errors import DataError
from shared_model.exchange import local_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective

VAULT = Vault(bytes(range(32)))


@pytest.fixture
def objective(small_objective: Callable[..., Objective]) -> Objective:
    return small_objective()


@pytest.fixture
def initial(objective: Objective) -> Arrays:
    return {name: array.copy() for name, array in local_tensors(objective).items()}


@pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])
def test_what_a_site_keeps_is_there_after_a_restart(
    objective: Objective, initial: Arrays, tmp_path: Path, vault: Vault | None
) -> None:
    folder = tmp_path / "worker" / "run-1"
    moments = {"first": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    assert LocalState(folder, vault).load(objective, initial) is None
    LocalState(folder, vault).save(objective, moments)
    kept = LocalState(folder, vault).load(objective, {name: 0 * array for name, array in initial.items()})
    assert kept is not None
    assert np.array_equal(kept["first"], moments["first"])
    for name, array in local_tensors(objective).items():
        assert np.array_equal(array, initial[name])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert (moments["first"].tobytes(order="C") in stored) == (vault is None)


def test_an_altered_file_another_key_and_another_run_are_refused(
    objective: Objective, initial: Arrays, tmp_path: Path
) -> None:
    state = LocalState(tmp_path / "run-1", VAULT)
    state.save(objective, {"first": np.ones(3, dtype=np.float32)})
    with pytest.raises(DataError, match="another key"):
        LocalState(tmp_path / "run-1", Vault(bytes(32))).load(objective, initial)
    with pytest.raises(DataError, match="sealed, and no key"):
        LocalState(tmp_path / "run-1").load(objective, initial)
    other = LocalState(tmp_path / "run-2", VAULT)
    other.save(objective, {"first": np.zeros(3, dtype=np.float32)})
    state.moments.write_bytes(other.moments.read_bytes())
    with pytest.raises(DataError, match="put in its place"):
        state.load(objective, initial)


def test_a_plain_file_that_is_damaged_is_said_to_be(
    objective: Objective, initial: Arrays, tmp_path: Path
) -> None:
    state = LocalState(tmp_path)
    state.moments.write_bytes(b"\x00" * 20)
    with pytest.raises(DataError, match="last round is damaged"):
        state.load(objective, initial)
