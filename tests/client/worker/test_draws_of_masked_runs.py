"""What a site draws under secure aggregation is its own and its run's: two runs cannot be subtracted to one site."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.site.config import load_site
from client.site.contents import WORKER
from client.site.state import SiteState
from client.worker.resident import resident_model
from client.worker.site_worker import SiteWorker
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.statistics import pool

SECURE = ("secure_aggregation.enabled=true", "federation.sites=3", "federation.rounds=1")


@pytest.fixture
def opened(tmp_path: Path, data_folder: Path) -> Callable[[str], tuple[object, SiteState]]:
    def make(place: str) -> tuple[object, SiteState]:
        folder = tmp_path / place
        if not folder.exists():
            shutil.copytree(data_folder, folder / "data")
            (folder / "site.toml").write_text(
                '[site]\nname = "moema"\n[data]\nfolder = "data"\n[split]\ntrain = 0.6\nvalidation = 0.2\n'
                "[policy]\nminimum_cell = 3\n"
            )
        config = load_site(folder / "site.toml")
        return config, SiteState.open(config.state, config.key)

    return make


@pytest.fixture
def update(
    opened: Callable[..., tuple[object, SiteState]], small_config: Callable[..., Config]
) -> Callable[..., Arrays]:
    """The first round's update of the same data, before it is masked."""

    def trained(run: str, *options: str, place: str = "first") -> Arrays:
        plan = small_config(*options)
        config, state = opened(place)
        shutil.rmtree(
            state.path(f"{WORKER}/{run}"), ignore_errors=True
        )  # else it would give the answer it gave
        worker = SiteWorker(config, state, plan, run=run, federation="north")  # type: ignore[arg-type]
        told = worker.statistics().fields["statistics"]
        fields = {"round": 1, "learning_rate": 1e-3, "standardisation": pool([told]).to_dict()}
        base = {name: array.copy() for name, array in START.setdefault("base", shared(plan)).items()}
        return worker._trained(Payload(base, fields)).arrays

    START: dict[str, Arrays] = {}
    return trained


def shared(plan: Config) -> Arrays:
    return {name: array.copy() for name, array in shared_tensors(resident_model(plan).objective).items()}


def same(first: Arrays, second: Arrays) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_a_masked_run_that_is_launched_again_draws_other_batches(update: Callable[..., Arrays]) -> None:
    first = update("run-1", *SECURE)
    assert not same(first, update("run-2", *SECURE))
    assert same(first, update("run-1", *SECURE))  # also by a worker that was started anew


def test_a_plain_run_follows_from_the_seed_alone(update: Callable[..., Arrays]) -> None:
    assert same(update("run-1"), update("run-2"))


def test_nobody_who_knows_the_run_can_make_a_sites_draws(
    opened: Callable[..., tuple[object, SiteState]], small_config: Callable[..., Config]
) -> None:
    plan, drawn = small_config(*SECURE), set()
    for place in ("first", "second"):  # the same name, data and run: another salt
        config, state = opened(place)
        worker = SiteWorker(config, state, plan, run="run-1", federation="north")  # type: ignore[arg-type]
        drawn.add(worker._draws())
    config, state = opened("first")
    assert SiteWorker(config, state, small_config(), run="run-1", federation="north")._draws() == 0  # type: ignore[arg-type]
    assert len(drawn) == 2
    assert all(0 < one < 1 << 63 for one in drawn)
