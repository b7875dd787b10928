"""Processes beside this one: how many, started so that Ctrl-C reaches this one alone, and ended when it says so."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from shared_model.config import Config
from shared_model.errors import ConfigError

FEWEST_MOST = (
    8  # processes that any machine may be asked for: a GPU or a slow disk has use for more than cores
)
MOST_A_CORE = 2
_TO_END = 5.0  # seconds that processes have to end when they are told to


def processes_asked(config: Config) -> int:
    """runtime.jobs, or one a core. Raises ConfigError where that is more than could be of use on this machine."""
    cores = os.cpu_count() or 1
    most = max(FEWEST_MOST, MOST_A_CORE * cores)
    if config.runtime.jobs > most:
        raise ConfigError(
            f"{config.runtime.jobs:,} processes are too many for a machine of {cores} "
            f"{'core' if cores == 1 else 'cores'}",
            where="runtime.jobs",
            fix=f"ask for {most} at most. Each that trains holds PyTorch (0.9 GB) and a model with its gradients and "
            "moments: 1 GB in all for tiny, several for paper; each that reads photographs, 0.1 GB",
        )
    return config.runtime.jobs or cores


@contextmanager
def ctrl_c_for_the_parent_alone() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal; processes started in this block ignore it from their first
    instruction, so that only the parent speaks, and ends the others.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def stop_children() -> None:
    """End all worker processes at once: an interrupted run waits for nobody."""
    stop(multiprocessing.active_children())


def stop(processes: Iterable[BaseProcess]) -> None:
    """End these, and wait until they have ended: what they write to is removed next."""
    processes = list(processes)
    for process in processes:
        process.terminate()
    until = time.monotonic() + _TO_END
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join(_TO_END)
