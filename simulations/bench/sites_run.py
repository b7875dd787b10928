"""One federation over many sites as a process: `python -m simulations.bench.sites_run WORKSPACE SITES`.

Prints one line of JSON: the highest memory of the process, and the seconds of its rounds, from the first message
to the last, without imports and the reading of photographs: by the clock, and of the processor, which a neighbour on
the machine changes less.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from client.worker.resident import resident_model
from client.worker.simulated import CONFIG, ROOT_VARIABLE
from server.store import RunFolder
from shared_model.config.load import from_toml
from shared_model.memory import peak_bytes
from simulations.engines import run_engine


def main(workspace: Path, sites: int) -> None:
    """Run the federation that the workspace's configuration describes."""
    config = from_toml(workspace / CONFIG)
    os.environ[ROOT_VARIABLE] = str(workspace)
    resident_model(config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(
            (workspace / CONFIG).read_text(encoding="utf-8"), encoding="utf-8"
        )
        started, worked = time.perf_counter(), time.process_time()
        run_engine(config, folder, sites, lambda record: None)
        taken = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}
        answered = len(RunFolder(folder).history()[-1]["sites"])
    if answered != sites:
        raise RuntimeError(f"{answered} of {sites} sites answered")
    print(json.dumps({"sites": sites, **taken, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
