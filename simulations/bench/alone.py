"""A measurement in a Python process of its own, for what start-up costs and how much memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from shared_model.errors import RunError


def measured_alone(module: str, arguments: Sequence[str], *, patience: float = 3600.0) -> dict[str, Any]:
    """The JSON object that `python -m MODULE ARGUMENTS` prints as its last line, and `wall_seconds` from start to end.

    One thread for every library, so that contenders differ in their work alone. Raises RunError where it fails or
    takes longer than `patience` seconds.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", module, *arguments],
            env={**os.environ, **one_thread},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{' '.join(arguments)} took longer than {patience:.0f} s", where=module) from None
    wall = time.perf_counter() - started
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        raise RunError(f"{' '.join(arguments)} ended with {said[-1] if said else 'no word'}", where=module)
    found: dict[str, Any] = json.loads(lines[-1])
    return {**found, "wall_seconds": wall}
