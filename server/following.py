"""Watching a run that another process carries out, until it has ended: the exit code tells the truth about it."""

from __future__ import annotations

import time
from collections.abc import Callable

from server.errors import Code
from server.store.runs import NEVER_STARTED, START_SECONDS, RunRow, RunStore

POLL_SECONDS = 0.5
EXIT = {
    "finished": 0,
    "failed": 3,
    "interrupted": 3,
    "created": 3,
    "stopped": 4,
    "submitted": 0,
    "running": 0,
}


def follow(store: RunStore, run: str, heard: Callable[[int, float | None], None], *, was: str) -> RunRow:
    """Wait until the run has ended; its last row. heard: each finished round and its validation loss.

    was: when its state had last changed before it was submitted; until that changes, it has not begun.
    """
    told, folder, submitted = -1, store.open(run), time.monotonic()
    while True:
        row = store.row(run)
        begun = row.changed != was
        for line in folder.history():
            if begun and line["round"] > told:
                told = line["round"]
                heard(told, line["validation"]["loss"])
        if begun and row.state not in ("running", "submitted"):
            return row
        if not begun and time.monotonic() - submitted > START_SECONDS:
            store.set_state(run, "failed", code=Code.NOT_STARTED.value, reason=NEVER_STARTED)
            return store.row(run)
        time.sleep(POLL_SECONDS)


def exit_code(row: RunRow) -> int:
    """0 only for a run all of whose rounds had their quorum, or that is still under way, or was submitted just now."""
    return EXIT[row.state]
