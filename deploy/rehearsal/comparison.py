"""The same federation as a simulation in one process, and how far the two models' weights lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from deploy.rehearsal import files
from deploy.rehearsal.rehearsal import Rehearsal
from shared_model.errors import RunError

LARGEST = 1e-5
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Comparison:
    """tensors, numbers: how many were compared. identical: bit for bit. difference: the largest between two numbers."""

    tensors: int
    numbers: int
    identical: bool
    difference: float

    @property
    def holds(self) -> bool:
        """Whether both ways gave one model."""
        return self.identical or self.difference <= LARGEST


def simulate(rehearsal: Rehearsal) -> Path:
    """The model folder of the inline simulation: same patients, same partition, same seed, same configuration."""
    plan, folder = rehearsal.plan, rehearsal.folder / "simulation"
    files.pool({site: rehearsal.home(site) / "data" for site in plan.sites}, folder / "data")
    overrides = [part for override in plan.overrides for part in ("--set", override)]
    rehearsal.commands.give(
        None, "fedfundus-simulate", "run", "--data", folder / "data", "--preset", plan.preset,
        "--config", rehearsal.home("coordinator") / "run.toml", "--partition", "center",
        "--set", "evaluation.comparison=false", *overrides, "--out", folder / "run",
    )  # fmt: skip
    return folder / "run" / "model"


def compare(deployed: Path, simulated: Path) -> Comparison:
    """Two model folders. Raises RunError where they do not hold the same tensors."""
    ours, theirs = load_file(deployed / _WEIGHTS), load_file(simulated / _WEIGHTS)
    if {name: array.shape for name, array in ours.items()} != {n: a.shape for n, a in theirs.items()}:
        raise RunError("the two models do not hold the same tensors", where=str(deployed))
    differences = [np.abs(ours[name].astype(np.float64) - theirs[name]) for name in ours]
    largest = max((float(d.max()) for d in differences if d.size), default=0.0)
    if not np.isfinite(largest):
        raise RunError("a model holds numbers that are none", where=str(deployed))
    identical = all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
    return Comparison(len(ours), sum(array.size for array in ours.values()), identical, largest)
