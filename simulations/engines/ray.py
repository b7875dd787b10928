"""The ray engine: Flower's own simulation backend, for many cores or machines.

Flower's public `run_simulation` gives neither app a run configuration, so both find their folders in the
environment, which Ray's actors inherit.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flwr.simulation import run_simulation

from client.app import app as client_app
from server.app import RUN_VARIABLE, make_app
from server.history import RoundRecord
from shared_model.config import Config
from shared_model.errors import RunError


def run_ray(config: Config, folder: Path, sites: int, on_round: Callable[[RoundRecord], None]) -> None:
    """One federated run through Ray, each client with as many CPUs as the configuration gives it threads."""
    os.environ[RUN_VARIABLE] = str(folder.resolve())
    threads = config.runtime.threads or 1
    cores = config.runtime.jobs or os.cpu_count() or 1
    backend: dict[str, Any] = {
        "client_resources": {"num_cpus": threads, "num_gpus": 0.0},
        "init_args": {
            "num_cpus": max(cores, threads),
            "logging_level": logging.ERROR,
            "log_to_driver": False,
        },
    }
    logging.getLogger("flwr").setLevel(logging.ERROR)
    try:
        run_simulation(
            server_app=make_app(on_round), client_app=client_app, num_supernodes=sites, backend_config=backend
        )
    except RuntimeError as error:
        cause = error.__cause__ or error.__context__ or error
        if isinstance(cause, RunError):
            raise cause from None
        raise
    finally:
        os.environ.pop(RUN_VARIABLE, None)
