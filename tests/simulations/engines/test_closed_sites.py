from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.worker.simulated import ROOT_VARIABLE, forget_workers, open_worker
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.exchange.parameters import Arrays
from simulations.engines import run_engine
from simulations.prepare import Prepared

Workspace = Callable[..., tuple[Path, Prepared]]


def trained(
    workspace: Workspace,
    config: Config,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    on_round: Callable[[RoundRecord], None] = lambda record: None,
) -> Arrays:
    root, prepared = workspace(config, f"{name}-work")
    folder = RunFolder(root.with_name(name))
    (folder.path / "config.toml").write_text(to_toml(config))
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    run_engine(config, folder.path, len(prepared.sites), on_round)
    return folder.load_weights("last")


def test_a_site_that_is_closed_between_rounds_goes_on_as_if_it_had_stayed_open(
    workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config("exchange.uplink=int8")  # which keeps what rounding took
    stayed = trained(workspace, config, "stayed", monkeypatch)
    closed = trained(workspace, config, "closed", monkeypatch, lambda record: forget_workers())
    assert all(np.array_equal(stayed[name], closed[name]) for name in stayed)


def test_sites_of_one_process_stand_on_the_same_photographs_and_table(
    workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    root, prepared = workspace(small_config(), "shared")
    one, other = (open_worker(root, site) for site in prepared.sites)
    assert one._images is other._images
    patients = [set(worker._table["patient_id"]) for worker in (one, other)]
    assert patients == [set(own) for own in prepared.sites.values()]
