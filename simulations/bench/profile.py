"""Where the time of a round goes, by the stages that every site and the coordinator go through.

What to look at when the simulation's efficiency is not reached; a step is told by simulations.bench.step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import client.worker.worker as worker_module
import server.collecting as collecting_module
from client.training.machine import on_this_machine
from client.worker.exchange import SiteExchange
from client.worker.last_rounds import LastRounds
from client.worker.simulated import ROOT_VARIABLE, forget_workers
from client.worker.worker import Worker
from server.aggregation.running_mean import RunningMean
from server.downlink import Downlink
from server.guard import UpdateGuard
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config, load_config, to_toml
from shared_model.files import write_text
from simulations.bench.efficiency import PATIENTS
from simulations.bench.figure import Measured
from simulations.bench.setting import Setting
from simulations.bench.stopwatch import Watched, stopwatch
from simulations.engines import run_engine
from simulations.prepare import prepare

STAGES: tuple[Watched, ...] = (
    (Downlink, "offer", "coordinator: pack the model"),
    (SiteExchange, "receive", "site: receive and decode"),
    (Worker, "_load", "site: swap its state in"),
    (LastRounds, "start", "site: swap its state in"),
    (worker_module, "validate", "site: evaluate the incoming model"),
    (worker_module, "train", "site: train"),
    (worker_module, "shared_tensors", "site: encode the update"),
    (SiteExchange, "update", "site: encode the update"),
    (LastRounds, "keep", "site: swap its state out"),
    (collecting_module, "opened", "coordinator: decode and guard"),
    (UpdateGuard, "problem", "coordinator: decode and guard"),
    (RunningMean, "add", "coordinator: aggregate"),
    (RunningMean, "onto", "coordinator: aggregate"),
    (RunFolder, "save_weights", "coordinator: write checkpoints and history"),
    (RunFolder, "append_history", "coordinator: write checkpoints and history"),
)


def measure(setting: Setting) -> Measured:
    """A round of `tiny`, with `full` of `paper` in fewer steps."""
    preset = "paper" if setting.full else "tiny"
    config = load_config(preset, federation__rounds=2, training__early_stopping=0, model__pretrained="never")
    if setting.full:
        config = config.model_copy(
            update={"training": config.training.model_copy(update={"local_steps": 20})}
        )
    config = on_this_machine(config)
    work = setting.folder / f"profile-{preset}"
    prepare(setting.drawn(PATIENTS), config, work)
    setting.say(f"one round of {preset}")
    training, runtime = config.training, config.runtime
    heading = (
        f"Where a round goes: {preset}, 3 sites, {training.local_steps} steps of {training.batch_size}, "
        f"{runtime.precision}, {runtime.threads} threads"
    )
    return Measured([], {heading: _round(config, work)})


def _round(config: Config, work: Path) -> list[str]:
    """The second round, by stage."""
    marks: list[tuple[float, dict[str, float]]] = []
    with stopwatch(STAGES) as clock:
        _run(config, work, lambda record: marks.append((time.perf_counter(), dict(clock))))
    (started, before), (ended, after) = marks[0], marks[1]
    wall = ended - started
    spent = {label: after[label] - before[label] for label in after}
    spent["everything else: messages, statistics, bookkeeping"] = wall - sum(spent.values())
    return [
        f"{seconds:9.3f} s {seconds / wall:7.1%}  {label}"
        for label, seconds in sorted(spent.items(), key=lambda one: -one[1])
    ]


def _run(config: Config, work: Path, on_round: Callable[[RoundRecord], None]) -> None:
    folder = work / f"run-{time.monotonic_ns()}"
    folder.mkdir()
    write_text(folder / "config.toml", to_toml(config))
    os.environ[ROOT_VARIABLE] = str(work)
    forget_workers()
    try:
        run_engine(config, folder, 3, on_round)
    finally:
        os.environ.pop(ROOT_VARIABLE, None)
        forget_workers()
