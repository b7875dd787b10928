"""Looking at a run takes nothing from whoever carries it out, and one that was never started is said to have failed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.errors import CoordinatorError
from server.following import exit_code
from server.launching import require_resumable
from server.store import runs
from server.store.run_lock import is_locked, lock
from server.store.runs import RunStore
from shared_model.config import Config

LOOKS = """
import sys
from pathlib import Path
from server.store.run_lock import is_locked
file = Path(sys.argv[1])
print(is_locked(file), flush=True)
while True:
    is_locked(file)
"""


@pytest.fixture
def store(tmp_path: Path, small_config: Callable[..., Config]) -> RunStore:
    found = RunStore(tmp_path / "store")
    found.create("run", small_config(), federation="here", canary=False, plan=None)
    return found


def test_whoever_looks_keeps_no_run_from_beginning(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", LOOKS, str(file)], stdout=subprocess.PIPE) as looking:
        try:
            assert looking.stdout is not None
            assert looking.stdout.readline() == b"False\n"
            for _ in range(3000):
                with lock(file) as held:
                    assert held
        finally:
            looking.kill()


def test_two_who_look_at_once_take_neither_for_the_run(store: RunStore) -> None:
    store.set_state("run", "running")
    seen: list[str] = []

    def look() -> None:
        own = RunStore(store.folder)
        seen.extend(own.row("run").state for _ in range(100))

    looking = [threading.Thread(target=look) for _ in range(4)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    assert seen == ["interrupted"] * 400


def test_looking_writes_nothing(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_who_carries_a_run_out_is_seen_by_others_and_by_itself(store: RunStore) -> None:
    store.set_state("run", "running")
    with store.locked("run"):
        assert store.row("run").state == "running"
        with pytest.raises(CoordinatorError, match="C302 the run is under way"), store.locked("run"):
            pass
        assert store.row("run").state == "running"
    assert store.row("run").state == "interrupted"


def test_a_run_that_an_earlier_release_carries_out_is_not_carried_out_twice(store: RunStore) -> None:
    store.set_state("run", "running")
    handle = os.open(store.open("run").path / runs.LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert (
            store.row("run").state == "interrupted"
        )  # which docs/guides/upgrade.md says, and that it is harmless
        with pytest.raises(CoordinatorError, match="C302"), store.locked("run"):
            pass
    finally:
        os.close(handle)


def test_handed_over_and_never_started_a_run_has_failed_although_nobody_followed_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set_state("run", "submitted")
    assert exit_code(store.row("run")) == 0  # it has its time
    late = (datetime.now(UTC) + timedelta(seconds=runs.START_SECONDS + 1)).isoformat()
    monkeypatch.setattr(runs, "_seconds_since", lambda when: _between(when, late))
    row = store.row("run")
    assert (row.state, row.code, exit_code(row)) == ("failed", "C402", 3)
    assert row.reason == "Flower took the run and never started it"
    require_resumable(store, "run")
    store.set_state("run", "running")  # begun after all
    with store.locked("run"):
        assert (store.row("run").state, store.row("run").code) == ("running", "")


def _between(when: str, late: str) -> float:
    return (datetime.fromisoformat(late) - datetime.fromisoformat(when)).total_seconds()
