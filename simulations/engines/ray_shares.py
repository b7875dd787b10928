"""How many sites Ray trains beside each other, and what each may take of a machine's processors and GPUs.

Ray hides every GPU from a process that asks for none, and places a share of a GPU only where one GPU has it left; so
shares are whole parts of one GPU.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from shared_model.config import Config
from shared_model.errors import RunError

GRAIN = 10_000  # Ray counts in ten-thousandths of a GPU


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, with the processors and GPUs that it lends to Ray."""

    name: str
    cpus: int
    gpus: int


def actors_here(jobs: int, threads: int, sites: int) -> int:
    """Processes on a machine of one's own: `jobs`, or as many as its cores have threads for; no more than sites."""
    return max(1, min(jobs or len(os.sched_getaffinity(0)) // threads, sites))


def share_of_a_site(nodes: Sequence[Node], threads: int, config: Config) -> dict[str, float]:
    """What Ray is to set aside for each process: {"num_cpus", "num_gpus"}.

    GPUs are shared out where the run trains on them. Raises RunError where no machine has room for one process.
    """
    roomy = [node for node in nodes if node.cpus >= threads]
    if not roomy:
        raise RunError(
            f"no machine of the Ray cluster lends {threads} processors, which one site takes",
            where="runtime.threads",
            fix="use --set runtime.threads=1, or start Ray there with more (ray start --num-cpus)",
        )
    wanted = config.runtime.device != "cpu" and not config.privacy.enabled
    with_gpus = [node for node in roomy if node.gpus] if wanted else []
    if wanted and not with_gpus and config.runtime.device == "cuda":
        raise RunError(
            "no machine of the Ray cluster lends a GPU",
            where="runtime.device=cuda",
            fix="start Ray there with its GPUs (ray start --num-gpus), or use --set runtime.device=cpu",
        )
    together = max((math.ceil(node.cpus // threads / node.gpus) for node in with_gpus), default=0)
    share = math.floor(GRAIN / together) / GRAIN if together else 0.0
    return {"num_cpus": threads, "num_gpus": share}
