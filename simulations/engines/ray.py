"""The ray engine: Flower's own simulation backend, for many cores or machines.

Flower starts the ServerApp before Ray and lets it wait for ever where Ray fails, and its backend hands Ray no
environment. So Ray is started or joined here first, with what could be wrong with it looked for, and the ServerApp
can be stopped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flwr.clientapp import ClientApp
from flwr.simulation import run_simulation

from client.cache import listener
from client.worker.simulated import ROOT_VARIABLE
from server.app import make_app
from server.history import RoundRecord
from shared_model.config import Config
from shared_model.errors import RunError
from simulations.engines.ray_cluster import connected, first_line
from simulations.engines.ray_shares import actors_here, share_of_a_site
from simulations.engines.ray_told import TellingApp, told
from simulations.engines.stoppable import StoppableServer


def run_ray(config: Config, folder: Path, sites: int, on_round: Callable[[RoundRecord], None]) -> None:
    """One federated run through Ray, each site with as many CPUs as the configuration gives it threads.

    Ray is started on this machine, or joined where RAY_ADDRESS says that a cluster is. Raises RunError where it cannot
    be, where the machines of the cluster do not fit the run, and where it fails while the run goes on.
    """
    threads = config.runtime.threads or 1
    cpus = threads * actors_here(config.runtime.jobs, threads, sites)
    workspace = Path(os.environ.get(ROOT_VARIABLE, folder)).resolve()
    with _quiet_flower(), connected(cpus, workspace) as nodes:
        backend: dict[str, Any] = {"client_resources": share_of_a_site(nodes, threads, config)}
        with told(listener.current()) as telling:
            server = StoppableServer(make_app(on_round), {"run-folder": str(folder.resolve())}, telling.end)
            _simulate(server, TellingApp(telling.board), sites, backend)


def _simulate(server: StoppableServer, client: ClientApp, sites: int, backend: dict[str, Any]) -> None:
    """Until the ServerApp ends; what ended it, or Ray, is raised."""
    try:
        run_simulation(
            server_app=server.app(), client_app=client, num_supernodes=sites, backend_config=backend
        )
    except Exception as error:
        server.stop()
        if server.failure is None:
            raise RunError(
                "the simulation's Ray backend failed",
                where="runtime.engine=ray",
                fix=f"use --engine inline, or see what Ray says: {first_line(error)}",
            ) from None
    except BaseException:
        server.stop()
        raise
    if server.failure is not None:
        raise server.failure


@contextmanager
def _quiet_flower() -> Iterator[None]:
    """Flower logs tracebacks of what is raised here as one message, and of what a site answers as its failure."""
    logger = logging.getLogger("flwr")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
