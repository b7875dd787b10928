"""Processes beside this one: started so that Ctrl-C reaches this one alone, and ended when it says so."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
    """End worker processes at once: an interrupted run waits for nobody."""
    for process in multiprocessing.active_children():
        process.terminate()
