"""The benchmarks themselves: their figures have the names that scripts read, and both sides learn the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_model.config import load_config
from shared_model.errors import RunError
from simulations.bench import efficiency, registry, step
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting
from simulations.bench.toy.inline import run_inline
from simulations.bench.toy.job import Job, digest
from simulations.bench.toy.plain import run_plain
from simulations.bench.toy.recycled import run_recycled

PATHS = [
    "training_step.speedup",
    "training_step.speedup_fresh_augmentation",
    "simulation.efficiency",
    "exchange.bytes_up",
    "exchange.bytes_down",
    "aggregation.peak_ratio_30_to_3",
    "simulation.memory_ratio_1000_to_10",
    "inference.speedup_batch8",
    "privacy.step_slowdown",
    "deployment.idle_round_seconds",
]
SMALL: dict[str, Any] = {
    "model__image__size": 32,
    "model__image__width": 32,
    "model__image__depth": 1,
    "model__text__width": 32,
    "model__fusion__width": 32,
    "model__fusion__depth": 1,
    "model__fusion__joint": 32,
    "model__decoders__image_channels": (8, 8),
    "training__local_steps": 2,
}


def test_every_path_that_scripts_read_is_promised() -> None:
    assert sorted(PATHS) == sorted(path for own in registry.PROMISED.values() for path in own)


def test_a_benchmark_without_a_promised_figure_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "measure", lambda setting: Measured([Figure(PATHS[0], (1.0,), "one of two")]))
    with pytest.raises(RunError, match=r"step gave no training_step\.speedup_fresh_augmentation"):
        registry.benchmark("step")(Setting(False, tmp_path))


def test_the_stock_loop_and_ours_follow_the_same_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "STEPS", 6)
    found = step._trajectory(load_config("tiny", **(SMALL | step.SMALL)), Setting(False, tmp_path))
    assert found["loss_difference"] < 1e-3


def test_every_contender_of_a_toy_job_trains_the_same_model() -> None:
    job = Job(clients=3, rounds=2, width=16, steps=2, batch=8)
    plain = digest(run_plain(job))
    assert digest(run_inline(job)) == digest(run_recycled(job)) == plain


def test_a_share_of_training_is_less_than_one_and_leaves_states_out(tmp_path: Path) -> None:
    config = load_config("tiny", federation__rounds=2, **SMALL)
    found = efficiency.simulation_efficiency(config, Setting(False, tmp_path), repeats=1)
    (run,) = found["runs"]
    assert 0 < run["training_seconds"] < run["loop_seconds"]
    assert found["efficiency"] == run["training_seconds"] / run["loop_seconds"] < 1


@pytest.mark.slow
def test_stock_flower_trains_the_same_sites(tmp_path: Path) -> None:
    setting = Setting(False, tmp_path)
    config = load_config("tiny", federation__rounds=3, **SMALL)
    ours = efficiency.simulation_efficiency(config, setting, repeats=1)
    figure = efficiency._stock(ours["config"], setting)
    assert 0 < figure.value < ours["efficiency"]
