"""Each benchmark in a process of its own, one after the other; what it says on the way goes to standard error.

Their processes stand in sessions of their own and are ended together with whatever they started, so that Ctrl-C
leaves nothing running; their files lie in one folder that goes with the bench.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from shared_model.errors import RunError
from simulations.bench.figure import Measured

MODULE = "simulations.bench"


def run_benchmarks(
    chosen: Sequence[str], *, full: bool, say: Callable[[str], None]
) -> Iterator[tuple[str, Measured | None]]:
    """Measure each in turn. None for one that failed; why it did has been said."""
    with tempfile.TemporaryDirectory(prefix="fedfundus-bench-", ignore_cleanup_errors=True) as folder:
        for number, name in enumerate(chosen, 1):
            say(f"{name} ({number} of {len(chosen)})")
            started = time.monotonic()
            try:
                found: Measured | None = _one(name, Path(folder), full)
            except RunError as error:
                say(f"{name}: {error}")
                found = None
            else:
                say(f"{name}: {time.monotonic() - started:.0f} s")
            yield name, found


def _one(name: str, folder: Path, full: bool) -> Measured:
    answer = folder / f"{name}.json"
    command = [sys.executable, "-m", MODULE, name, str(folder), str(answer), *(["--full"] if full else [])]
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL)
    try:
        code = process.wait()
    finally:
        _end(process)
    if code or not answer.exists():
        raise RunError(
            f"the benchmark {name} ended without a figure ({_ending(code)})",
            fix="see what it said above; a full-size model needs 8 GB of free memory",
        )
    return Measured.from_document(json.loads(answer.read_text(encoding="utf-8")))


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the benchmark, if it still runs, and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
