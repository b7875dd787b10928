"""A round asked twice: the same bytes for the same request, the state it began with for another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.data.images import ImageStore
from client.vault import Vault
from client.worker import Worker
from client.worker.last_rounds import Asked, LastRounds
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import Payload, fingerprint, local_tensors, shared_tensors
from shared_model.exchange.base import whole_set
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation

VAULT = Vault(bytes(range(32)))
ANSWER = Payload({"head": np.ones(2, dtype=np.int8)}, {"round": 1, "loss": 0.1})
MOMENTS = {"first": np.arange(6, dtype=np.float32).reshape(2, 3).T}


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
    asked = Asked(1, "one")
    assert LastRounds(folder, vault).start(1, objective, initial) is None
    assert LastRounds(folder, vault).answer(asked) is None
    LastRounds(folder, vault).keep(asked, ANSWER, objective, MOMENTS)
    kept = LastRounds(folder, vault).start(2, objective, {name: 0 * array for name, array in initial.items()})
    assert kept is not None
    assert np.array_equal(kept["first"], MOMENTS["first"])
    for name, array in local_tensors(objective).items():
        assert np.array_equal(array, initial[name])
    again = LastRounds(folder, vault).answer(asked)
    assert again is not None
    assert (again.fields, again.arrays["head"].tobytes()) == (ANSWER.fields, ANSWER.arrays["head"].tobytes())
    assert again.arrays["head"].dtype == np.int8
    assert LastRounds(folder, vault).answer(Asked(1, "another")) is None
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert (MOMENTS["first"].tobytes(order="C") in stored) == (vault is None)


def test_an_altered_file_another_key_and_another_run_are_refused(
    objective: Objective, initial: Arrays, tmp_path: Path
) -> None:
    state, asked = LastRounds(tmp_path / "run-1", VAULT), Asked(1, "one")
    state.keep(asked, ANSWER, objective, MOMENTS)
    with pytest.raises(DataError, match="another key"):
        LastRounds(tmp_path / "run-1", Vault(bytes(32))).start(2, objective, initial)
    with pytest.raises(DataError, match="sealed, and no key"):
        LastRounds(tmp_path / "run-1").answer(asked)
    LastRounds(tmp_path / "run-2", VAULT).keep(asked, ANSWER, objective, {})
    other = tmp_path / "run-2" / "round-1.safetensors"
    (tmp_path / "run-1" / "round-1.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="put in its place"):
        state.answer(asked)


def test_a_plain_file_that_is_damaged_is_said_to_be(
    objective: Objective, initial: Arrays, tmp_path: Path
) -> None:
    (tmp_path / "round-1.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(DataError, match="last round is damaged"):
        LastRounds(tmp_path).start(2, objective, initial)
    with pytest.raises(DataError, match="last round is damaged"):
        LastRounds(tmp_path).answer(Asked(1, "one"))


def test_two_rounds_are_kept_and_earlier_ones_go(
    objective: Objective, initial: Arrays, tmp_path: Path
) -> None:
    state = LastRounds(tmp_path)
    for number in (1, 2, 5):  # a site may miss rounds
        state.keep(Asked(number, "x"), ANSWER, objective, {"first": np.full(1, number, dtype=np.float32)})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "round-2.safetensors",
        "round-5.safetensors",
    ]
    began = state.start(5, objective, initial)
    assert began is not None
    assert began["first"] == 2
    assert state.answer(Asked(2, "x")) is not None  # the coordinator may have lost a round
    assert state.start(1, objective, initial) is None
    oldest = state.start(2, objective, initial)
    assert oldest is not None  # what it began with is gone: the nearest is better than nothing
    assert oldest["first"] == 2


@pytest.fixture
def site(
    tmp_path: Path, records: pd.DataFrame, images: ImageStore, small_config: Callable[..., Config]
) -> Callable[..., Worker]:
    def make(folder: str = "site", *overrides: str) -> Worker:
        own = records.reset_index(drop=True)
        return Worker("a", own, images, small_config(*overrides), tmp_path / folder)

    return make


def ask(
    worker: Worker,
    scale: Standardisation,
    number: int,
    shift: float = 0.0,
    coding: dict[str, Any] | None = None,
) -> Payload:
    fresh = Objective(build_model(worker.config.model, seed=worker.config.seed), worker.config.losses)
    base = {name: (array + shift).astype(np.float32) for name, array in shared_tensors(fresh).items()}
    fields = {"round": number, "learning_rate": 1e-3, "standardisation": scale.to_dict()}
    if coding is None:
        return Payload(base, fields)
    exchange = {"codec": "fp32", "base": fingerprint(base), "upon": None, "taken": 0} | coding
    return Payload(base, fields | {"exchange": exchange})


def same(a: Payload, b: Payload) -> bool:
    return (
        a.fields_json() == b.fields_json()
        and a.arrays.keys() == b.arrays.keys()
        and all(a.arrays[name].tobytes() == b.arrays[name].tobytes() for name in a.arrays)
    )


def test_asked_the_same_again_after_a_restart_it_returns_the_same_bytes(
    site: Callable[..., Worker], standardisation: Standardisation
) -> None:
    first = site().train(ask(site(), standardisation, 1))
    assert same(site().train(ask(site(), standardisation, 1)), first)  # the seconds it took, too
    second = site().train(ask(site(), standardisation, 2, 0.01))
    assert same(site().train(ask(site(), standardisation, 2, 0.01)), second)
    assert same(site().train(ask(site(), standardisation, 1)), first)


def test_another_base_in_the_same_round_is_trained_from_the_state_it_began_with(
    site: Callable[..., Worker], standardisation: Standardisation
) -> None:
    straight, astray = site("straight"), site("astray")
    for worker in (straight, astray):
        worker.train(ask(worker, standardisation, 1))
    astray.train(ask(astray, standardisation, 2, 0.5))
    wanted = straight.train(ask(straight, standardisation, 2, 0.01))
    found = astray.train(ask(astray, standardisation, 2, 0.01))
    assert all(np.array_equal(wanted.arrays[name], found.arrays[name]) for name in wanted.arrays)
    kept = [
        LastRounds(worker._rounds._files.folder)._files.read("round-2.safetensors")
        for worker in (straight, astray)
    ]
    assert kept[0] is not None
    assert kept[1] is not None
    same_state = [name for name in kept[0] if name.startswith(("local/", "moments/"))]
    assert same_state
    assert all(np.array_equal(kept[0][name], kept[1][name]) for name in same_state)


def test_what_rounding_took_is_that_of_the_round_before_too(
    site: Callable[..., Worker], standardisation: Standardisation
) -> None:
    packed = ("exchange.uplink=int8", "exchange.downlink=bf16")
    straight, astray = site("straight", *packed), site("astray", *packed)

    def round_of(worker: Worker, number: int, shift: float, taken: int) -> Payload:
        plain = ask(worker, standardisation, number, shift)
        wire, base = whole_set(plain.arrays, "bf16")
        said = {"codec": "bf16", "base": fingerprint(base), "upon": None, "taken": taken}
        return worker.train(Payload(wire, plain.fields | {"exchange": said}))

    for worker in (straight, astray):
        round_of(worker, 1, 0.0, 0)
    round_of(astray, 2, 0.5, 1)
    wanted = round_of(straight, 2, 0.01, 1)
    found = round_of(astray, 2, 0.01, 1)
    assert all(wanted.arrays[name].tobytes() == found.arrays[name].tobytes() for name in wanted.arrays)
    forgot = round_of(astray, 2, 0.01, 0)  # a coordinator that lost which update it used
    assert same(forgot, found)


def test_another_configuration_is_another_question(
    site: Callable[..., Worker], standardisation: Standardisation
) -> None:
    first = site().train(ask(site(), standardisation, 1))
    longer = site("site", "training.local_steps=3")
    assert not same(longer.train(ask(longer, standardisation, 1)), first)
