"""A thousand simulated sites on one machine: memory against ten sites, and whether time grows with their number alone.

The same patients are dealt to 10, 100 and 1,000 sites, so that what differs is what a site costs and not what data
cost. Each is one round, in a process of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from client.data.image_index import sidecar
from client.worker.simulated import IMAGES
from shared_model.config import Config, load_config
from simulations.bench.alone import measured_alone
from simulations.bench.figure import Figure, Measured
from simulations.bench.many_sites import multiplied
from simulations.bench.setting import Setting
from simulations.prepare import prepare

COUNTS = (10, 100, 1000)
PATIENTS = 1250  # of whom nine tenths are trained on, one at least a site
DRAWN = 20
MEMORY_GOAL = 1.2
TIME_GOAL = 1.1  # processor seconds a site with 1,000 sites over the same with 100: 1 is linear


def measure(setting: Setting) -> Measured:
    """One round of `tiny`: its own steps with `full`, otherwise one step on half the pixels."""
    data = multiplied(setting.drawn(DRAWN), setting.folder / "many-patients", PATIENTS)
    found = {}
    for count in COUNTS:
        setting.say(f"one round of {count} sites")
        workspace = _workspace(data, _config(count, full=setting.full), setting, count)
        found[count] = measured_alone("simulations.bench.sites_run", [str(workspace), str(count)])
    few, some, many = (found[count] for count in COUNTS)
    size = "" if setting.full else ", cut to one step on half the pixels"
    what = f"inline engine, one round of tiny{size}, the same {PATIENTS} patients"
    details = {"runs": list(found.values())}
    return Measured(
        [
            Figure(
                "simulation.memory_ratio_1000_to_10",
                (many["peak_bytes"] / few["peak_bytes"],),
                f"{what}: peak memory with 1,000 sites over that with 10",
                goal=MEMORY_GOAL,
                better="lower",
                applies=setting.full,
                details=details,
            ),
            Figure(
                "simulation.time_ratio_1000_to_100",
                (many["cpu_seconds"] / some["cpu_seconds"] / 10,),
                f"{what}: processor seconds a site with 1,000 sites over the same with 100",
                goal=TIME_GOAL,
                better="lower",
                applies=setting.full,
            ),
        ]
    )


def _config(sites: int, *, full: bool) -> Config:
    short = () if full else ("training.local_steps=1", "training.batch_size=2", "model.image.size=64")
    return load_config(
        "tiny",
        overrides=("data.split=[0.9,0.05]", *short),
        federation__partition="iid",
        federation__sites=sites,
        federation__rounds=1,
        training__early_stopping=0,
        runtime__threads=1,
        runtime__precision="fp32",
    )


def _workspace(data: Path, config: Config, setting: Setting, count: int) -> Path:
    """The patients dealt to `count` sites; photographs are read once."""
    workspace = setting.folder / f"sites-{count}"
    workspace.mkdir()
    first = setting.folder / f"sites-{COUNTS[0]}" / IMAGES
    if first.exists():
        for path in (first, sidecar(first)):
            shutil.copy2(path, workspace / path.name)
    prepare(data, config, workspace)
    return workspace
