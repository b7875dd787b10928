"""What secure aggregation costs: bytes a site sends against int8 and bf16, and seconds of a round of five sites."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from client.data.image_index import sidecar
from client.worker.simulated import IMAGES
from shared_model.config import Config, load_config
from simulations.bench.alone import measured_alone
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting
from simulations.prepare import prepare

SITES = 5
INT8_GOAL, BF16_GOAL, TIME_GOAL = 2.2, 1.1, 1.2
PATIENTS = 60


def measure(setting: Setting) -> Measured:
    """Bytes at full size, `paper`; seconds in rounds of `tiny`, with and without in turn."""
    return Measured([*_bytes(setting), _time(setting)])


def _bytes(setting: Setting) -> list[Figure]:
    setting.say(f"one secure round of full-size updates of {SITES} sites")
    found = measured_alone("simulations.bench.secure_session", [str(SITES)])
    megabytes = found["bytes_up"] / 1e6
    figures = []
    for codec, goal in (("int8", INT8_GOAL), ("bf16", BF16_GOAL)):
        clear = found["clear"][codec]["bytes_up"]
        figures.append(
            Figure(
                f"secure_aggregation.bytes_ratio_{codec}",
                (found["bytes_up"] / clear,),
                f"all that one of {SITES} sites sends in a secure round of the paper preset, {megabytes:.1f} MB, over "
                f"its update in {codec}, {clear / 1e6:.1f} MB",
                goal=goal,
                better="lower",
                details=found if codec == "int8" else {},
            )
        )
    return figures


def _time(setting: Setting) -> Figure:
    """Rounds with and without in turn, each from the second on, each run in a process of its own."""
    data = setting.drawn(PATIENTS)
    workspaces = {secure: _workspace(data, setting, secure=secure) for secure in (False, True)}
    ratios, details = [], []
    for number in range(2 if not setting.full else 5):
        setting.say(f"rounds of {SITES} sites, with and without secure aggregation, run {number + 1}")
        seconds = {
            secure: statistics.median(
                measured_alone("simulations.bench.secure_run", [str(workspace), str(SITES)])["seconds"]
            )
            for secure, workspace in workspaces.items()
        }
        ratios.append(seconds[True] / seconds[False])
        details.append({"secure": seconds[True], "clear": seconds[False]})
    return Figure(
        f"secure_aggregation.round_time_ratio_{SITES}_sites",
        tuple(ratios),
        f"inline engine, a round of tiny over {SITES} sites, {PATIENTS} patients in all: seconds with secure "
        "aggregation over the same without",
        goal=TIME_GOAL,
        better="lower",
        details={"runs": details},
    )


def _workspace(data: Path, setting: Setting, *, secure: bool) -> Path:
    """The same patients and photographs for both."""
    workspace = setting.folder / f"secure-{secure}"
    workspace.mkdir()
    first = setting.folder / "secure-False" / IMAGES
    if first.exists():
        for path in (first, sidecar(first)):
            shutil.copy2(path, workspace / path.name)
    prepare(data, _config(setting, secure=secure), workspace)
    return workspace


def _config(setting: Setting, *, secure: bool) -> Config:
    return load_config(
        "tiny",
        federation__partition="iid",
        federation__sites=SITES,
        federation__rounds=6 if setting.full else 3,
        training__early_stopping=0,
        runtime__threads=1,
        runtime__precision="fp32",
        secure_aggregation__enabled=secure,
    )
