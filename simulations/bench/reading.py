"""How near the reading of photographs by `check` comes to decoding alone, in the same pool of processes.

Both are measured in turn in one run on the same files, from starting the processes to their last answer, so that
the ratio does not depend on how fast or busy the machine happens to be.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from client.check.measure import measure as check
from client.isolation.pool import Pool
from client.vault import Journal, Vault
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting
from simulations.synthesis.dataset import PHOTOGRAPHS, synthesize

KEY_BYTES = 32
GOAL = 0.8
DRAWN = 100  # patients whose photographs are drawn; the rest are their crops, no two alike


def measure(setting: Setting) -> Measured:
    """`check` against decoding alone, on all cores."""
    found = reading_speed(photographs=2000 if setting.full else 600, repeats=setting.repeats)
    what = (
        f"fedfundus-site check over {found['photographs']} JPEGs of {found['size']} px in {found['processes']} "
        "processes, against decoding alone in as many: share of its speed"
    )
    runs = tuple(run["ratio"] for run in found["runs"])
    return Measured([Figure("check.ratio", runs, what, unit="", goal=GOAL, details=found)])


def reading_speed(
    photographs: int = 2000, size: int = 256, processes: int | None = None, repeats: int = 3
) -> dict[str, Any]:
    """Median and every run of (seconds of decoding alone / seconds of measuring) for JPEGs of `size` pixels.

    processes: all cores by default. A ratio of 0.8 says that check reads at 80 % of the speed of decoding alone.
    `undisturbed` is the same of the quickest of each: what else runs on the machine can only slow either down.
    """
    processes = processes or os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="fedfundus-bench-") as name:
        paths = _photographs(Path(name), photographs, size)
        _one(paths, processes, Path(name))  # the files and the interpreter's are in memory from here on
        runs = [_one(paths, processes, Path(name)) for _ in range(repeats)]
    return {
        "photographs": photographs,
        "size": size,
        "processes": processes,
        "ratio": statistics.median(run["ratio"] for run in runs),
        "undisturbed": min(run["decoding_seconds"] for run in runs)
        / min(run["measuring_seconds"] for run in runs),
        "runs": runs,
    }


def _one(paths: list[str], processes: int, folder: Path) -> dict[str, float]:
    started = time.perf_counter()
    _decode_all(paths, processes)
    decoded = time.perf_counter()
    with Journal(
        folder / f"{started}.journal", Vault(os.urandom(KEY_BYTES))
    ) as journal:  # as a site keeps it
        measured = check(paths, processes=processes, journal=journal)
    ended = time.perf_counter()
    if any(measurement.problem for measurement in measured.values()):
        raise AssertionError("a photograph of the benchmark could not be read")
    decoding, measuring = decoded - started, ended - decoded
    return {"decoding_seconds": decoding, "measuring_seconds": measuring, "ratio": decoding / measuring}


def _decode_all(paths: list[str], processes: int) -> None:
    with Pool("simulations.bench.decoding", processes) as pool:
        for _, answer in pool.answers(paths):
            if answer != b"decoded":
                raise AssertionError("a photograph of the benchmark could not be decoded")


def _photographs(folder: Path, count: int, size: int) -> list[str]:
    """`count` JPEGs whose longer side is `size`, each a different crop of a drawn photograph."""
    synthesize(folder / "drawn", patients=DRAWN, seed=0)
    drawn = sorted((folder / "drawn" / PHOTOGRAPHS).iterdir())
    paths = []
    for number in range(count):
        with Image.open(drawn[number % len(drawn)]) as image:
            cut = number // len(drawn)
            crop = image.convert("RGB").crop((cut, cut, image.width - cut, image.height - cut))
        crop.thumbnail((size, size))
        crop.info.clear()  # the drawn file's padding would be copied as a comment of 64 KB
        paths.append(str(folder / f"{number:05d}.jpg"))
        crop.save(paths[-1], quality=92)
    return paths
