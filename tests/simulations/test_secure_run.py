"""A simulated federation under secure aggregation: real workers, real messages, real masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import client.worker.worker as worker_module
from client.worker.simulated import ROOT_VARIABLE
from server.federation import fewest_sites
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.errors import RunError
from shared_model.exchange.parameters import Arrays
from shared_model.secure_aggregation.field import scales
from simulations.engines import run_engine
from simulations.prepare import Prepared

Run = Callable[..., RunFolder]
COMMON = ("federation.sites=3", "training.learning_rate=1e-3", "training.warmup_rounds=0")
SECURE = "secure_aggregation.enabled=true"


@pytest.fixture
def run(workspace: Callable[..., tuple[Path, Prepared]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A whole federated run in a fresh workspace; its folder."""

    def go(config: Config, name: str, jobs: int = 1) -> RunFolder:
        root, prepared = workspace(config, f"{name}-work")
        folder = RunFolder(root.with_name(name))
        (folder.path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        run_engine(config, folder.path, len(prepared.sites), lambda record: None, jobs)
        return folder

    return go


def assert_within_rounding(config: Config, plain: Arrays, secure: Arrays, weight: int, sites: int) -> None:
    """Half a unit a site in the mean of one round, and fp32's own rounding."""
    for name, one in scales(config, plain, config.training.learning_rate, weight, sites).items():
        within = sites / 2 * 2.0 ** (one.shift - 36) / weight + 2.0**-23 * np.abs(plain[name]).max(
            initial=1.0
        )
        assert np.abs(plain[name].astype(np.float64) - secure[name]).max(initial=0.0) <= within, name


def test_a_secure_round_ends_within_rounding_of_the_same_round_without(
    run: Run, small_config: Callable[..., Config]
) -> None:
    one = (*COMMON, "federation.rounds=1")
    plain, config = run(small_config(*one), "plain"), small_config(*one, SECURE)
    secure = run(config, "secure")
    weight = sum(site["examples"] for site in secure.history()[1]["sites"].values())
    assert_within_rounding(config, plain.load_weights("last"), secure.load_weights("last"), weight, 3)
    for clear, masked in zip(plain.history(), secure.history(), strict=True):
        assert masked["validation"]["loss"] == pytest.approx(clear["validation"]["loss"], rel=1e-4)
        assert masked["validation"]["icdr"]["n"] == clear["validation"]["icdr"]["n"] > 0
        for site, told in masked["sites"].items():
            assert told["examples"] == clear["sites"][site]["examples"] > 0
            assert (told["train_loss"], told["losses"], told["validation_loss"]) == (None, {}, None)
    last = secure.history()[-1]
    losses = [(site["examples"], site["train_loss"]) for site in plain.history()[-1]["sites"].values()]
    mean = sum(count * loss for count, loss in losses) / sum(count for count, _ in losses)
    assert last["together"]["loss"] == pytest.approx(mean, rel=1e-3)
    assert last["together"]["cut_off"] < 1e-3 * last["together"]["numbers"]


def test_any_downlink_goes_with_it_and_what_goes_up_has_a_form_of_its_own(
    run: Run, small_config: Callable[..., Config]
) -> None:
    folder = run(small_config(*COMMON, SECURE, "exchange={uplink='int8', downlink='int8'}"), "secure")
    size = sum(array.size for array in folder.load_weights("last").values())
    for row in folder.history()[1:]:
        assert len(row["sites"]) == 3
        assert all(2 * size < site["bytes_up"] < 2 * size + 8000 for site in row["sites"].values())


def test_a_site_that_fails_in_training_is_lost_and_the_others_go_on(
    run: Run, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = worker_module.train

    def train(*given: Any, site: str, **named: Any) -> Any:
        if site == "site-2":
            raise ValueError("Maria da Silva")
        return original(*given, site=site, **named)

    monkeypatch.setattr(worker_module, "train", train)
    secure = run(small_config(*COMMON, SECURE, "federation.rounds=1"), "secure")
    assert set(secure.history()[1]["sites"]) == {"site-1", "site-3"}
    assert secure.history()[1]["validation"]["loss"] is not None
    refused = (secure.path / "refused-updates.jsonl").read_text()
    assert json.loads(refused.splitlines()[0])["reason"] == "error at the site (ValueError)"
    assert "Maria" not in refused


def test_a_run_of_which_too_few_are_left_ends_with_their_reasons(
    run: Run, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = worker_module.train

    def train(*given: Any, site: str, **named: Any) -> Any:
        if site != "site-2":
            raise ValueError("gone")
        return original(*given, site=site, **named)

    monkeypatch.setattr(worker_module, "train", train)
    with pytest.raises(RunError, match=r"1 sites were left at step 'train', 2 are needed \(site-1: error"):
        run(small_config(*COMMON, SECURE), "secure")


def test_so_many_sites_must_join_that_a_round_could_ever_be_opened(
    small_config: Callable[..., Config],
) -> None:
    assert fewest_sites(small_config("federation.sites=2")) == 1
    assert fewest_sites(small_config(*COMMON, SECURE)) == 3
    assert fewest_sites(small_config(*COMMON, SECURE, "secure_aggregation.threshold=5")) == 5


@pytest.mark.slow
def test_processes_do_not_change_it(run: Run, small_config: Callable[..., Config]) -> None:
    config = small_config(*COMMON, SECURE, "federation.rounds=1")
    alone, beside = run(config, "alone"), run(config, "beside", jobs=2)
    for name, array in alone.load_weights("last").items():
        assert array.tobytes() == beside.load_weights("last")[name].tobytes()


@pytest.mark.slow
def test_the_command_trains_privately_and_securely(
    command: Callable[..., Any], synthetic: Path, tmp_path: Path
) -> None:
    """Differential privacy goes with it: noise and clipping first, masks over what they leave."""
    out = tmp_path / "run"
    settings = ("training.local_steps=2", "evaluation={comparison=false, resamples=20}", "runtime.jobs=1")
    found = command(
        *("run", "--data", synthetic, "--preset", "private-tiny", "--partition", "iid", "--sites", 3),
        *("--rounds", 1, "--dp-epsilon", 8, "--secure-aggregation", "--out", out),
        *(part for item in settings for part in ("--set", item)),
    )
    assert found.code == 0, found.err
    run_facts = json.loads((out / "metrics.json").read_text())["run"]
    assert run_facts["secure_aggregation"]["threshold"] == 2
    statement = json.loads((out / "model" / "privacy.json").read_text())
    assert statement["epsilon"] == 8.0
    assert statement["secure_aggregation"]["enabled"] is True
