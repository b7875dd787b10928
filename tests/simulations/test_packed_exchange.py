"""Whole federated runs whose exchange is packed, beside the same runs unpacked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import client.worker.worker as worker_module
from client.worker import Worker
from client.worker.exchange import HELD
from client.worker.simulated import ROOT_VARIABLE, open_worker
from server.handshake import gather_statistics
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.exchange import FixedPointSum, Payload, shared_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import build_model
from simulations.baselines import DirectSites
from simulations.engines import run_engine
from simulations.prepare import Prepared

Workspace = Callable[..., tuple[Path, Prepared]]
Run = Callable[..., RunFolder]
PACKED = "exchange={uplink='int8', downlink='bf16'}"
CHANGES = "exchange={uplink='int8', downlink='int8'}"


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A whole federated run in a fresh workspace; its folder."""

    def go(config: Config, name: str, on_round: Callable[[RoundRecord], None] = lambda r: None) -> RunFolder:
        root, prepared = workspace(config, f"{name}-work")
        folder = RunFolder(root.with_name(name))
        (folder.path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        run_engine(config, folder.path, len(prepared.sites), on_round)
        return folder

    return go


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_fp32_is_bit_for_bit_what_it_is_without_any_of_this(
    run: Run, workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    """The run beside a loop of its own: workers asked directly, their tensors added as they are, and nothing else."""
    config = small_config("training.schedule=constant", "training.warmup_rounds=0")
    found = run(config, "run").load_weights("last")
    root, prepared = workspace(config, "beside")
    workers = [open_worker(root, site) for site in prepared.sites]
    model = shared_tensors(Objective(build_model(config.model, seed=config.seed), config.losses))
    standardisation = (
        gather_statistics(SeveralSites(workers)).standardisation().reading(config.model.inputs).to_dict()
    )
    for number in (1, 2):
        total = FixedPointSum(model)
        for worker in workers:
            fields = {
                "round": number,
                "learning_rate": config.training.learning_rate,
                "standardisation": standardisation,
            }
            answer = worker.train(Payload(model, fields))
            total.add(answer.arrays, answer.fields["examples"], answer.fields.get("untrained", ()))
        model = total.mean()
    assert same(found, model)


class SeveralSites(DirectSites):
    def __init__(self, workers: list[Worker]) -> None:
        self.workers = {worker.site: worker for worker in workers}

    def addresses(self) -> list[str]:
        return list(self.workers)

    def ask(self, question: Any, payloads: Any) -> Any:
        return ((site, self.workers[site].statistics()) for site in payloads)


@pytest.mark.parametrize("exchange", [PACKED, CHANGES])
def test_a_packed_run_twice_gives_the_same_weights_and_the_same_messages(
    exchange: str, run: Run, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []
    original = Worker.train

    def watched(self: Worker, request: Payload) -> Payload:
        answer = original(self, request)
        for payload in (request, answer):
            seen.append((self.site, *((name, array.tobytes()) for name, array in payload.arrays.items())))
        return answer

    monkeypatch.setattr(Worker, "train", watched)
    a = run(small_config(exchange), "first").load_weights("last")
    b = run(small_config(exchange), "second").load_weights("last")
    assert same(a, b)
    assert len(seen) == 16  # two runs of two rounds of two sites, both ways
    assert seen[:8] == seen[8:]


def test_a_packed_run_learns_like_an_unpacked_one(run: Run, small_config: Callable[..., Config]) -> None:
    """The stated tolerance: a site's loss differs by at most a twentieth of what training has taken off it."""
    common = ("federation.rounds=5", "training.local_steps=6", "training.learning_rate=2e-3")
    plain = run(small_config(*common), "plain")
    sites = ("site-1", "site-2")
    unpacked = np.array([[row["sites"][site]["train_loss"] for site in sites] for row in plain.history()[1:]])
    tolerance = 0.05 * (unpacked[0] - unpacked[-1])
    assert (tolerance > 0.01).all()  # the run does learn
    for name, exchange in {"packed": PACKED, "changes": CHANGES}.items():
        folder = run(small_config(*common, exchange), name)
        packed = np.array([[row["sites"][s]["train_loss"] for s in sites] for row in folder.history()[1:]])
        assert (np.abs(packed - unpacked) <= tolerance).all(), np.abs(packed - unpacked) / tolerance
        assert not same(folder.load_weights("last"), plain.load_weights("last"))


def test_what_travels_is_counted_as_it_travels(run: Run, small_config: Callable[..., Config]) -> None:
    config = small_config("federation.rounds=3")
    shared = shared_tensors(Objective(build_model(config.model, seed=0), config.losses))
    size, fields = sum(array.size for array in shared.values()), 8000
    expected = {PACKED: (size, 2 * size), CHANGES: (size, size), "exchange={}": (4 * size, 4 * size)}
    for index, (exchange, (up, down)) in enumerate(expected.items()):
        rows = run(small_config("federation.rounds=3", exchange), str(index)).history()
        for site in rows[3]["sites"].values():
            assert up < site["bytes_up"] < 1.1 * up + fields
            assert down < site["bytes_down"] < 1.1 * down + fields
        first = rows[1]["sites"].values()
        assert all(site["bytes_down"] > 2 * size for site in first)  # of changes, the whole set comes first
        assert rows[3]["evaluation_bytes_down"] > 2 * down


def test_a_site_that_loses_its_state_is_sent_the_whole_set_and_the_run_is_the_same(
    run: Run, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = small_config("federation.rounds=3", CHANGES)
    undisturbed = run(config, "undisturbed")

    def lose(record: RoundRecord) -> None:
        (held,) = (tmp_path / "lost-work" / "sites" / "site-1").glob(HELD)
        held.unlink()

    found = run(config, "lost", lose)
    assert same(found.load_weights("last"), undisturbed.load_weights("last"))
    row = found.history()[2]["sites"]
    assert row["site-1"]["bytes_down"] > 2 * row["site-2"]["bytes_down"]


def test_a_site_that_misses_a_round_is_sent_the_whole_set(
    run: Run, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = worker_module.train

    def train(*given: Any, site: str, first_step: int, **named: Any) -> Any:
        if (site, first_step) == ("site-1", 2):  # its second round
            raise ValueError("interrupted")
        return original(*given, site=site, first_step=first_step, **named)

    monkeypatch.setattr(worker_module, "train", train)
    folder = run(small_config("federation.rounds=4", CHANGES), "run")
    rows = folder.history()
    assert [row["sites"]["site-1"]["examples"] > 0 for row in rows[1:]] == [True, False, True, True]
    down = [row["sites"]["site-1"]["bytes_down"] for row in rows]
    assert down[3] > 1.5 * down[4]
    assert np.isfinite(rows[4]["validation"]["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("exchange", [PACKED, CHANGES])
def test_ray_gives_the_packed_weights_of_inline(
    exchange: str, run: Run, small_config: Callable[..., Config]
) -> None:
    config = small_config(exchange, "federation.rounds=3")
    inline = run(config, "inline")
    ray = run(small_config(exchange, "federation.rounds=3", "runtime.engine=ray", "runtime.jobs=2"), "ray")
    assert same(inline.load_weights("last"), ray.load_weights("last"))
    assert [row["validation"] for row in inline.history()] == [row["validation"] for row in ray.history()]
