"""One benchmark as a process: `python -m simulations.bench NAME FOLDER ANSWER [--full]`."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

from shared_model.errors import FedFundusError
from shared_model.files import write_text
from simulations.bench.registry import benchmark
from simulations.bench.setting import Setting


def main(arguments: list[str]) -> int:
    """Measure NAME and write what it found to ANSWER."""
    name, folder, answer = arguments[:3]
    warnings.filterwarnings("ignore")
    logging.getLogger("flwr").setLevel(logging.ERROR)

    def say(line: str) -> None:
        print(f"  {name}: {line}", file=sys.stderr, flush=True)

    try:
        found = benchmark(name)(Setting("--full" in arguments[3:], Path(folder), say))
    except FedFundusError as error:
        say(str(error))
        return error.exit_code
    write_text(Path(answer), json.dumps(found.document(), allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
