"""How long a round would take on this machine and how much memory it needs, from a few real steps.

A process of its own builds the preset's model and takes the steps; it is watched, and stopped before it takes the
memory that is left, so that a machine too small is told so and nothing else on it suffers. What was measured is kept
per preset and version, since it is the machine's and not the data's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from client.check.finding import Finding
from client.site.config import SiteConfig
from client.site.state import SiteState
from shared_model.config import Config, load_config
from shared_model.errors import DataError
from shared_model.version import PACKAGE_VERSION
from shared_model.wording import counted

ESTIMATE = "estimate.json"
MOST_SECONDS = 600.0
SPARE = 0.9  # of the free memory that the trial may take
ROOM = (
    1.25  # free memory a worker should find, in terms of the trial's peak: photographs and notes come on top
)
_TICK = 0.1
_GB = 1e9

_CGROUP = Path("/sys/fs/cgroup")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Estimate:
    """What the steps took, and what a round would.

    problem: "" or why there is no figure. steps: how many were timed; step_seconds: one of them;
    grading_seconds: one photograph graded; peak_bytes: most memory the trial held; free_bytes: what was free
    before. Measured with `threads` threads and `batch_size` photographs a step, notes as long as the model reads.
    """

    preset: str
    threads: int
    batch_size: int
    local_steps: int
    validated: int
    free_bytes: float
    steps: int = 0
    step_seconds: float = 0.0
    grading_seconds: float = 0.0
    peak_bytes: float = 0.0
    problem: str = ""

    @property
    def round_seconds(self) -> float:
        """Extrapolated: all local steps, and every validation photograph graded once."""
        return self.local_steps * self.step_seconds + self.validated * self.grading_seconds

    def sentences(self) -> list[str]:
        """What was measured and what was extrapolated, for a person."""
        if self.problem:
            return [f"Time and memory of preset {self.preset} are not known: {self.problem}."]
        return [
            f"Preset {self.preset} on this machine: about {duration(self.round_seconds)} a round and "
            f"{self.peak_bytes / _GB:.1f} GB of memory ({self.free_bytes / _GB:.1f} GB were free).",
            f"Measured: {counted(self.steps, 'training step')} of {counted(self.batch_size, 'photograph')}, "
            f"{self.step_seconds:.2f} s each, and grading, {self.grading_seconds:.3f} s a photograph, on noise, with "
            f"{counted(self.threads, 'thread')}. Extrapolated: {counted(self.local_steps, 'step')} and "
            f"{counted(self.validated, 'validation photograph')}. "
            "Reading photographs and sending parameters are not in it.",
        ]


def estimate(
    preset: str,
    validated: int,
    state: SiteState | None,
    say: Say | None = None,
    site: SiteConfig | None = None,
) -> Estimate:
    """The estimate of a preset, from what was kept or from a trial; validated: photographs to validate on.

    say: is told when a trial begins, since it may take minutes. site: whose [resources] say with how many threads.
    Raises ConfigError for a device or number format of [resources] that this machine does not have.
    """
    # Imports PyTorch, which the rest of check does not need.
    from client.training.machine import on_this_machine
    from client.worker.own_machine import own_runtime, require_machine

    config = load_config(preset)
    if site is not None:
        require_machine(site)
        config = config.model_copy(update={"runtime": own_runtime(site, config.runtime)})
    config = on_this_machine(config)
    key = (
        f"{preset} {PACKAGE_VERSION} {config.runtime.threads} {min(validated, config.evaluation.batch_size)}"
    )
    kept = _kept(state)
    measured = kept.get(key)
    free = free_memory()
    if measured is None:
        if say:
            say(f"timing a few training steps of preset {preset}; this may take minutes")
        measured = _trial(preset, config.runtime.threads, free)
        if state is not None and "problem" not in measured:
            state.write(ESTIMATE, json.dumps(kept | {key: measured}).encode())
    return _estimate(config, preset, validated, free, measured)


def findings(made: Estimate) -> list[Finding]:
    """Whether this machine is large enough."""
    short = made.problem.startswith("it needs more memory")
    if not short and made.peak_bytes * ROOM <= made.free_bytes:
        return []
    needs = "more" if short else f"about {made.peak_bytes * ROOM / _GB:.1f} GB"
    return [
        Finding(
            kind="memory_short",
            level="warning",
            what=f"Training preset {made.preset} needs {needs} free memory; this machine has "
            f"{made.free_bytes / _GB:.1f} GB free.",
            where="this machine",
            count=1,
            fix="Close other programs, use a machine with more memory, or ask for a run with a smaller preset.",
        )
    ]


def document(made: Estimate) -> dict[str, Any]:
    """The estimate as plain values for JSON."""
    return {**asdict(made), "round_seconds": made.round_seconds}


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 100 else f"{minutes} min"


def free_memory() -> float:
    """Bytes that a new process may take, a container's limit included."""
    free = float(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        held = int((_CGROUP / "memory.current").read_text())
        return free if limit == "max" else min(free, float(int(limit) - held))
    except (OSError, ValueError):
        return free


def _estimate(config: Config, preset: str, validated: int, free: float, measured: dict[str, Any]) -> Estimate:
    figures = {
        name: float(measured.get(name, 0.0)) for name in ("step_seconds", "grading_seconds", "peak_bytes")
    }
    return Estimate(
        preset=preset,
        threads=config.runtime.threads,
        batch_size=config.training.batch_size,
        local_steps=config.training.local_steps,
        validated=validated,
        free_bytes=free,
        steps=int(measured.get("steps", 0)),
        problem=str(measured.get("problem", "")),
        **figures,
    )


def _kept(state: SiteState | None) -> dict[str, Any]:
    try:
        content = state.read(ESTIMATE) if state is not None else None
        found = json.loads(content or b"{}")
    except (DataError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _trial(preset: str, threads: int, free: float) -> dict[str, Any]:
    """What the trial printed, or {"problem": why not}."""
    command = [sys.executable, "-m", "client.check.trial", preset, str(threads)]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        problem = _watch(process, SPARE * free)
        printed, _ = process.communicate()
    finally:
        process.kill()
        process.wait()
    if problem:
        return {"problem": problem}
    try:
        return dict(json.loads(printed.splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        return {"problem": f"the trial ended early (exit code {process.returncode})"}


def _watch(process: subprocess.Popen[bytes], most_bytes: float) -> str:
    """Wait for the trial, or stop it; why it was stopped."""
    started = time.monotonic()
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            held = watched.memory_info().rss
        except psutil.Error:
            break
        if held > most_bytes:
            process.kill()
            return f"it needs more memory than the {most_bytes / _GB:.1f} GB that this machine can spare"
        if time.monotonic() - started > MOST_SECONDS:
            process.kill()
            return f"two training steps take more than {MOST_SECONDS / 60:.0f} minutes"
        time.sleep(_TICK)
    return "it needs more memory than this machine has" if process.wait() == -9 else ""
