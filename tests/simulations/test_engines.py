from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import client.worker.worker as worker_module
from client.worker import Worker
from client.worker.simulated import ROOT_VARIABLE
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.errors import RunError
from shared_model.exchange import Payload, parameter_kinds, shared_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import build_model
from simulations.engines import run_engine
from simulations.prepare import Prepared

PATIENT = "Maria da Silva"
Run = Callable[..., RunFolder]


@pytest.fixture
def run(workspace: Callable[..., tuple[Path, Prepared]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A whole federated run in a fresh workspace; its folder."""

    def go(
        config: Config, name: str = "run", on_round: Callable[[RoundRecord], None] = lambda r: None
    ) -> RunFolder:
        root, prepared = workspace(config, f"{name}-work")
        folder = RunFolder(root.with_name(name))
        (folder.path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        run_engine(config, folder.path, len(prepared.sites), on_round)
        return folder

    return go


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Payload]]:
    """Everything that any worker received and answered: (call, "in" or "out", payload)."""
    seen: list[tuple[str, str, Payload]] = []

    def watched(name: str) -> Callable[..., Payload]:
        original = getattr(Worker, name)

        def call(self: Worker, *given: Payload) -> Payload:
            seen.extend((name, "in", payload) for payload in given)
            answer = original(self, *given)
            seen.append((name, "out", answer))
            return answer

        return call

    for name in ("join", "statistics", "train", "evaluate"):
        monkeypatch.setattr(Worker, name, watched(name))
    return seen


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_inline_twice_with_one_seed_gives_identical_weights_bit_for_bit(
    run: Run, small_config: Callable[..., Config]
) -> None:
    config = small_config("model.fusion.dropout=0.1", "losses.weighting=softmax")
    a, b = run(config, "first"), run(config, "second")
    assert same(a.load_weights("last"), b.load_weights("last"))
    assert same(a.load_weights("best"), b.load_weights("best"))

    def timeless(rows: list[dict[str, Any]]) -> str:
        def strip(row: dict[str, Any]) -> dict[str, Any]:
            untimed = {k: v for k, v in row.items() if k not in ("seconds", "bytes_up")}
            return {k: strip(v) if isinstance(v, dict) else v for k, v in untimed.items()}

        return json.dumps([strip(row) for row in rows])

    assert timeless(a.history()) == timeless(b.history())
    other = run(config.model_copy(update={"seed": 1}), "third")
    assert not same(a.load_weights("last"), other.load_weights("last"))


def test_the_merged_model_is_the_weighted_mean_of_what_the_sites_sent(
    run: Run, small_config: Callable[..., Config], messages: list[tuple[str, str, Payload]]
) -> None:
    folder = run(small_config("federation.partition=camera", "federation.sites=0"))
    requests = [p for name, way, p in messages if (name, way) == ("train", "in")]
    updates = [p for name, way, p in messages if (name, way) == ("train", "out")]
    assert [p.fields["round"] for p in updates] == [1, 1, 2, 2]
    assert len({p.fields["examples"] for p in updates}) == 2  # the weights differ, so that they matter
    for pair, following in ((updates[:2], requests[2].arrays), (updates[2:], folder.load_weights("last"))):
        total = sum(p.fields["examples"] for p in pair)
        for name, array in following.items():
            mean = sum(p.arrays[name].astype(np.float64) * p.fields["examples"] for p in pair) / total
            np.testing.assert_allclose(array, mean, atol=1e-6)
    assert same(requests[2].arrays, requests[3].arrays)  # every site starts the round from the same model


def test_both_ways_carry_shared_tensors_only_and_decoders_stay_different(
    run: Run, small_config: Callable[..., Config], messages: list[tuple[str, str, Payload]]
) -> None:
    config = small_config("model.image.frozen_blocks=1")
    folder = run(config)
    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    kinds = parameter_kinds(objective)
    shared = {name for name, kind in kinds.items() if kind == "shared"}
    assert set(kinds.values()) == {"shared", "local", "trunk"}
    carrying = [p for _, _, p in messages if p.arrays]
    assert len(carrying) == 4 + 4 + 2  # two rounds of two sites both ways, one last evaluation each
    assert all(set(p.arrays) == shared for p in carrying)
    assert not any(
        "decoder" in p.fields_json() for _, way, p in messages if way == "out" and "tensors" not in p.fields
    )
    assert set(folder.load_weights("last")) == shared
    kept = sorted((folder.path.with_name("run-work") / "sites").glob("*/round-2.safetensors"))
    assert len(kept) == 2
    decoders = [
        {n: a.tobytes() for n, a in load_file(path).items() if n.startswith("local/")} for path in kept
    ]
    assert decoders[0].keys() == decoders[1].keys() != set()
    assert decoders[0] != decoders[1]


def test_the_first_model_is_the_configurations_and_the_last_is_evaluated(
    run: Run, small_config: Callable[..., Config], messages: list[tuple[str, str, Payload]]
) -> None:
    config = small_config("seed=5")
    heard: list[RoundRecord] = []
    folder = run(config, on_round=heard.append)
    first = next(p for name, way, p in messages if (name, way) == ("train", "in"))
    assert same(first.arrays, shared_tensors(Objective(build_model(config.model, seed=5), config.losses)))
    last = [p for name, way, p in messages if (name, way) == ("evaluate", "in")]
    assert all(same(p.arrays, folder.load_weights("last")) for p in last)
    rows = folder.history()
    assert [row["round"] for row in rows] == [r.number for r in heard] == [0, 1, 2]
    assert all(row["validation"]["loss"] > 0 for row in rows)
    assert rows[0]["bytes_up"] == 0
    assert rows[1]["bytes_down"] > sum(a.nbytes for a in first.arrays.values())


def test_best_weights_are_those_of_the_least_validation_loss(
    run: Run, small_config: Callable[..., Config]
) -> None:
    folder = run(small_config("federation.rounds=3", "training.early_stopping=0"))
    losses = [row["validation"]["loss"] for row in folder.history()]
    is_last = int(np.argmin(losses)) == 3
    assert same(folder.load_weights("best"), folder.load_weights("last")) == is_last


@pytest.mark.parametrize("strategy", ["fedprox", "fedavgm", "fedadam", "fedyogi"])
def test_every_strategy_trains_another_model_than_fedavg(
    strategy: str, run: Run, small_config: Callable[..., Config]
) -> None:
    common = ("training.local_steps=3", "training.proximal=1.0")
    plain = run(small_config(*common), "plain").load_weights("last")
    found = run(small_config(*common, f"federation.strategy={strategy}"), "other").load_weights("last")
    assert set(found) == set(plain)
    assert all(np.isfinite(array).all() for array in found.values())
    assert not same(found, plain)


def failing_site(monkeypatch: pytest.MonkeyPatch, failing: str, error: Exception) -> None:
    original = worker_module.train

    def train(*given: Any, site: str, **named: Any) -> Any:
        if site == failing:
            raise error
        return original(*given, site=site, **named)

    monkeypatch.setattr(worker_module, "train", train)


def test_a_site_that_raises_is_left_out_and_its_words_stay_at_home(
    run: Run,
    small_config: Callable[..., Config],
    messages: list[tuple[str, str, Payload]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing_site(monkeypatch, "site-1", ValueError(f"cannot use {PATIENT}"))
    with caplog.at_level(logging.ERROR):
        folder = run(small_config())
    (*_, update) = [p for name, way, p in messages if (name, way) == ("train", "out")]
    assert same(folder.load_weights("last"), update.arrays) or np.allclose(
        folder.load_weights("last")["model.joint_projection.bias"],
        update.arrays["model.joint_projection.bias"],
        atol=1e-6,
    )
    written = "".join(p.read_text() for p in folder.path.glob("*.json*"))
    assert PATIENT not in written
    reasons = [
        json.loads(line)["reason"]
        for line in (folder.path / "refused-updates.jsonl").read_text().splitlines()
    ]
    assert reasons == ["error at the site (ValueError)"] * 2


def test_a_site_without_which_there_is_no_quorum_ends_the_run(
    run: Run, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_site(monkeypatch, "site-1", ValueError(PATIENT))
    with pytest.raises(RunError, match="1 usable updates, the quorum is 2") as error:
        run(small_config("federation.quorum=2"))
    assert PATIENT not in str(error.value)


@pytest.mark.slow
def test_ray_gives_the_weights_of_inline(run: Run, small_config: Callable[..., Config]) -> None:
    inline = run(small_config(), "inline")
    ray = run(small_config("runtime.engine=ray", "runtime.jobs=2"), "ray")
    assert same(inline.load_weights("last"), ray.load_weights("last"))
    assert [r["validation"] for r in inline.history()] == [r["validation"] for r in ray.history()]


@pytest.mark.slow
def test_ray_hands_on_our_own_errors(run: Run, small_config: Callable[..., Config]) -> None:
    with pytest.raises(RunError, match="0 usable updates"):
        run(small_config("runtime.engine=ray", "federation.norm_bound=1e-9"))
