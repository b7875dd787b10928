"""How much of the round loop's time is training: seconds of local training and validation over the loop's wall time.

Both are taken in the same run, so that the ratio does not depend on how fast or busy the machine happens to be.
What is counted as training is the two functions that do it and nothing around them: reading and packing tensors,
states on disk, a site's optimiser state swapped in and out, messages, aggregation and checkpoints are all overhead.
The same share of stock Flower over Ray stands beside it, for the small preset.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any

import client.training.loop as loop_module
import client.worker.worker as worker_module
from client.training.machine import on_this_machine
from client.worker.simulated import ROOT_VARIABLE, forget_workers
from server.history import RoundRecord
from shared_model.config import Config, load_config, to_toml
from shared_model.files import write_text
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting
from simulations.bench.stock_rounds import stock_rounds
from simulations.bench.stopwatch import Watched, stopwatch
from simulations.engines import run_engine
from simulations.prepare import prepare

GOAL = 0.97
PATIENTS, SITES = 60, 3
TRAINING: tuple[Watched, ...] = ((worker_module, "train", "train"), (worker_module, "validate", "validate"))
SWAPPING: tuple[Watched, ...] = (  # parts of `train` that a site's own machine would not spend
    (loop_module, "make_optimizer", "in"),
    (loop_module, "moments_of", "out"),
)


def measure(setting: Setting) -> Measured:
    """Three sites by the inline engine: `tiny`, and with `full` one whole round of `paper` as well."""
    rounds = 8 if setting.full else 5
    tiny = simulation_efficiency(load_config("tiny", federation__rounds=rounds), setting)
    figures = [_figure("simulation.efficiency", tiny), _stock(tiny["config"], setting)]
    if setting.full:
        paper = load_config("paper", federation__rounds=1, model__pretrained="never")
        figures.append(
            _figure("simulation.efficiency_paper", simulation_efficiency(paper, setting, repeats=1))
        )
    return Measured(figures)


def simulation_efficiency(config: Config, setting: Setting, repeats: int | None = None) -> dict[str, Any]:
    """Median and every run of (seconds of training and validation / seconds of the loop) over three centres.

    Of several rounds the first is left out: its seconds are of things that are made once. A single one counts from
    the loop's beginning, with all of these, and so can only be too low.
    """
    config = on_this_machine(config)
    workspace = setting.folder / f"efficiency-{config.preset}"
    prepare(setting.drawn(PATIENTS), config, workspace / "work")
    runs = []
    for index in range(repeats or setting.repeats):
        setting.say(f"{config.preset}, {config.federation.rounds} rounds, run {index + 1}")
        runs.append(_one(config, workspace, index))
    ratio = statistics.median(run["efficiency"] for run in runs)
    return {"config": config, "efficiency": ratio, "runs": runs}


def _figure(name: str, found: dict[str, Any]) -> Figure:
    config, runs = found["config"], found["runs"]
    what = (
        f"inline engine, 3 sites, {config.preset}, {config.training.local_steps} steps of "
        f"{config.training.batch_size} a round: local training and validation, as a share of the round loop"
    )
    return Figure(
        name, tuple(run["efficiency"] for run in runs), what, unit="", goal=GOAL, details={"loops": runs}
    )


def _stock(config: Config, setting: Setting) -> Figure:
    """Stock Flower over Ray on the workspace that ours has just used."""
    setting.say(f"{config.preset}, {config.federation.rounds} rounds, stock Flower over Ray")
    root = setting.folder / f"efficiency-{config.preset}" / "work"
    found = stock_rounds(config, root, SITES)
    what = "the same sites and training steps by stock Flower over Ray, one client at a time"
    return Figure(
        "simulation.efficiency_flower_ray", (found["efficiency"],), what, "", details={"loops": [found]}
    )


def _one(config: Config, workspace: Path, index: int) -> dict[str, float]:
    folder = workspace / f"run-{index}"
    folder.mkdir()
    write_text(folder / "config.toml", to_toml(config))
    spent: list[float] = []
    marks: list[float] = []
    begun = time.perf_counter()
    os.environ[ROOT_VARIABLE] = str(workspace / "work")
    try:
        with stopwatch(TRAINING) as clock, stopwatch(SWAPPING) as swapped:

            def heard(record: RoundRecord) -> None:
                marks.append(time.perf_counter())
                spent.append(sum(clock.values()) - sum(swapped.values()))

            run_engine(config, folder, SITES, heard)
    finally:
        os.environ.pop(ROOT_VARIABLE, None)
        forget_workers()
    if config.federation.rounds == 1:
        wall, training = time.perf_counter() - begun, sum(clock.values()) - sum(swapped.values())
    else:  # round r's record closes when round r + 1 has been trained: the marks 0 and R-1 enclose rounds 2..R
        last = config.federation.rounds - 1
        wall, training = marks[last] - marks[0], spent[last] - spent[0]
    return {
        "efficiency": training / wall,
        "loop_seconds": wall,
        "training_seconds": training,
        "swapping_seconds_of_all_rounds": sum(swapped.values()),
    }
