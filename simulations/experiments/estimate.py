"""How long experiments will take on this machine: a few real steps of each configuration, times what each will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from client.check.trial import trial
from client.training.machine import machine_of
from shared_model.config import Config
from simulations.baselines import POOLED
from simulations.experiments.experiment import Experiment
from simulations.training import FEDERATED

START_SECONDS = 8.0  # a process that imports PyTorch, and its model
READINGS = (
    3.0  # of a test photograph, in those of grading it once: several inputs, notes with and without sentences
)
FIGURES_SECONDS = 10.0  # intervals of every figure, over all and at each site
CROWDED = 1.25  # two processes on two cores are not twice one


def estimate(
    experiments: Sequence[Experiment], splits: Mapping[int, pd.Series], sites: int, jobs: int
) -> float:
    """Seconds for these experiments. splits: seed -> the split of every record; jobs: processes at once."""
    pace: dict[str, Mapping[str, float]] = {}
    total = 0.0
    for one in experiments:
        shape = f"{one.config.model!r}{one.config.losses!r}{one.config.training.batch_size}"
        if shape not in pace:
            pace[shape] = trial(one.config, machine_of(one.config.runtime).threads)
        counts = splits[one.seed].value_counts()
        total += _seconds(one, pace[shape], counts, sites)
    slowdown = CROWDED if jobs > 1 and len(experiments) > 1 else 1.0
    return slowdown * total / max(1, min(jobs, len(experiments)))


def _seconds(one: Experiment, pace: Mapping[str, float], counts: pd.Series, sites: int) -> float:
    rounds, grading = one.config.federation.rounds, pace["grading_seconds"]
    steps = rounds * _steps(one.mode, one.config, sites)
    validated = (
        (rounds + 1)
        * int(counts.get("validation", 0))
        * (1.0 if one.mode in (FEDERATED, POOLED) else 1 / sites)
    )
    tested = READINGS * int(counts.get("test", 0))
    return START_SECONDS + FIGURES_SECONDS + steps * pace["step_seconds"] + (validated + tested) * grading


def _steps(mode: str, config: Config, sites: int) -> int:
    """Optimiser steps of a round, over all sites: a pooled model takes as many as the federation."""
    return config.training.local_steps * (sites if mode in (FEDERATED, POOLED) else 1)


def spoken(seconds: float) -> str:
    """ "about 24 min", as far as an estimate deserves."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
