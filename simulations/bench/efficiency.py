"""How much of the round loop's time is training: the sites' own seconds over the loop's wall time.

The sites' time is measured inside the same run (evaluation of the incoming model and local steps), so that the
ratio does not depend on how fast the machine happens to be.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from client.worker.simulated import ROOT_VARIABLE
from server.history import RoundRecord
from shared_model.config import Config, load_config, to_toml
from shared_model.files import write_text
from simulations.engines import run_engine
from simulations.prepare import prepare
from simulations.synthesis.dataset import synthesize

PATIENTS = 60


def simulation_efficiency(engine: str, rounds: int, repeats: int) -> dict[str, Any]:
    """Median and every run of (site seconds / loop seconds) of a three-centre federation with the tiny preset."""
    config = load_config("tiny", federation__rounds=rounds, runtime__engine=engine)
    with tempfile.TemporaryDirectory(prefix="fedfundus-bench-") as name:
        folder = Path(name)
        synthesize(folder / "data", patients=PATIENTS, seed=0)
        prepare(folder / "data", config, folder / "work")
        runs = [_one(config, folder, index) for index in range(repeats)]
    ratios = sorted(run["efficiency"] for run in runs)
    return {"engine": engine, "rounds": rounds, "efficiency": ratios[len(ratios) // 2], "runs": runs}


def _one(config: Config, workspace: Path, index: int) -> dict[str, float]:
    folder = workspace / f"run-{index}"
    folder.mkdir()
    write_text(folder / "config.toml", to_toml(config))
    spent: list[float] = []
    marks: list[float] = []

    def heard(record: RoundRecord) -> None:
        marks.append(time.perf_counter())
        spent.append(sum(site.seconds for site in record.sites.values()))

    os.environ[ROOT_VARIABLE] = str(workspace / "work")
    try:
        run_engine(config, folder, 3, heard)
    finally:
        os.environ.pop(ROOT_VARIABLE, None)
    # Round r's record closes when round r + 1 has been trained, so the marks 1..R-1 enclose rounds 2..R.
    wall = marks[-2] - marks[0]
    return {"efficiency": sum(spent[2:]) / wall, "loop_seconds": wall}
