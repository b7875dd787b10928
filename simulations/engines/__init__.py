"""Engines run the same ServerApp and ClientApp: `inline` in one process, `ray` by Flower's own backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # other apps run on these engines too, and need not wait for ours
    from pathlib import Path

    from server.history import RoundRecord
    from shared_model.config import Config


def require_engine(config: Config) -> None:
    """Raises RunError for a cluster that is not there, before anything is read."""
    if config.runtime.engine == "ray":
        from simulations.engines.ray_cluster import cluster_address

        cluster_address()


def run_engine(
    config: Config, folder: Path, sites: int, on_round: Callable[[RoundRecord], None], jobs: int = 1
) -> None:
    """Run one federation over `sites` simulated sites with the engine that the configuration names.

    jobs: processes in which `inline` trains sites beside each other; `ray` reads runtime.jobs itself.
    """
    if config.runtime.engine == "ray":
        from simulations.engines.ray import run_ray

        run_ray(config, folder, sites, on_round)
    elif min(jobs, sites) > 1:
        from simulations.engines.parallel import run_parallel

        run_parallel(folder, sites, on_round, jobs)
    else:
        from simulations.engines.inline import run_inline

        run_inline(folder, sites, on_round)
