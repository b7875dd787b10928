"""A look at a Ray cluster, in a process of its own: `python -m simulations.engines.ray_look`.

Reads what is asked as JSON from standard input and prints one line of JSON: {"failed": why} where the cluster cannot
be joined, else {"machines": [[name, "" or "silent", "package" or "folder"], ...]}.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from shared_model.package import package_sha256

TO_REPLY = 60.0  # seconds that all machines have together


def main() -> None:
    """Look, and print what was found."""
    asked: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(look(asked)))


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """asked: address, folder and environment (Ray's runtime_env)."""
    import ray

    from simulations.engines.ray_cluster import first_line

    try:
        ray.init(
            address=asked["address"],
            runtime_env=asked["environment"],
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        return {"machines": _machines(asked["folder"])}
    except Exception as error:
        return {"failed": first_line(error)}


def _machines(folder: str) -> list[tuple[str, str]]:
    """What each machine that lends processors lacks."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = {package_sha256()}
    task = ray.remote(num_cpus=0, max_retries=0)(_question())
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            folder
        ): f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        for node in nodes
    }
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=TO_REPLY)
    here.add(package_sha256())  # whoever works on the package may have changed a file meanwhile
    found = [(asked[reference], "silent") for reference in silent]
    for reference in answered:
        try:
            package, usable = ray.get(reference)
        except ray.exceptions.RayError:
            package, usable = "", False
        lack = "package" if package not in here else "" if usable else "folder"
        found.append((asked[reference], lack))
    return found


def _question() -> Callable[[str], tuple[str, bool]]:
    """A function of its own, which Ray sends whole: a machine may lack the module that it is in."""

    def answer(folder: str) -> tuple[str, bool]:
        """The package's SHA-256 there, "" where there is none, and whether the folder can be written into."""
        import os

        try:
            from shared_model.package import package_sha256

            package = package_sha256()
        except Exception:
            package = ""
        return package, os.path.isdir(folder) and os.access(folder, os.W_OK)

    return answer


if __name__ == "__main__":
    main()
