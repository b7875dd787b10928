"""One federation over five sites as a process: `python -m simulations.bench.secure_run WORKSPACE SITES`.

Prints one line of JSON: the seconds of each round from the second on. The first reads data and fills caches.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from client.worker.resident import resident_model
from client.worker.simulated import CONFIG, ROOT_VARIABLE
from server.store import RunFolder
from shared_model.config.load import from_toml
from simulations.engines import run_engine


def main(workspace: Path, sites: int) -> None:
    """Run the federation that the workspace's configuration describes."""
    config = from_toml(workspace / CONFIG)
    os.environ[ROOT_VARIABLE] = str(workspace)
    resident_model(config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = (workspace / CONFIG).read_text(encoding="utf-8")
        (folder / "config.toml").write_text(text, encoding="utf-8")
        run_engine(config, folder, sites, lambda record: None)
        rows = [row for row in RunFolder(folder).history() if row["round"] > 1]
    if any(len(row["sites"]) != sites for row in rows):
        raise RuntimeError("not every site answered in every round")
    print(json.dumps({"seconds": [row["seconds"] for row in rows]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
