"""One contender on one job as a process: `python -m simulations.bench.toy CONTENDER JOB` prints one line of JSON.

`seconds` are of the job alone, without starting Python and importing, and so are those of this process's own work
and of the kernel's for it (fresh memory, above all); `peak_bytes` of this process, and of its
children where it has any.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module

import torch

from simulations.bench.toy.job import JOBS, digest


def main(contender: str, job: str) -> None:
    """Run it with one thread and tell what it took."""
    torch.set_num_threads(1)
    run = getattr(import_module(f"simulations.bench.toy.{contender}"), f"run_{contender}")
    before, started = os.times(), time.perf_counter()
    state = run(JOBS[job])
    seconds, after = time.perf_counter() - started, os.times()
    found = {
        "seconds": seconds,
        "user_seconds": after.user - before.user,
        "system_seconds": after.system - before.system,
        "peak_bytes": _peak_bytes(),
        "digest": digest(state),
    }
    print(json.dumps(found))


def _peak_bytes() -> int:
    """As shared_model.memory, which the plain loop should not have to import."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
