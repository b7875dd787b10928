"""Ray for one run: started on this machine alone, or a cluster joined where RAY_ADDRESS says that there is one.

Ray waits for minutes for a cluster that does not answer, and can end the process that asks. So a cluster is first
looked at with a time limit and in another process (ray_look), which also asks every machine whether it has the run's
folder and the same package.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client.worker.simulated import ROOT_VARIABLE
from shared_model.errors import RunError
from shared_model.offline import SETTINGS
from simulations.engines.ray_shares import Node

ADDRESS = "RAY_ADDRESS"  # Ray's own variable
PASSED_ON = (ROOT_VARIABLE, *SETTINGS, "HF_HOME", "HF_HUB_CACHE")
TO_ANSWER = 5.0  # seconds that an address has to take a connection
TO_LOOK = 120.0  # seconds for the whole look at a cluster
GUIDE = "see docs/several-machines.md"


@contextmanager
def connected(cpus: int, workspace: Path) -> Iterator[list[Node]]:
    """A Ray that runs for the block, and its machines. cpus: of a Ray on this machine alone.

    Raises RunError where it cannot be started or joined, or where a machine lacks `workspace` or this package.
    """
    import ray

    place = cluster_address()
    environment = {"env_vars": _variables()}
    options: dict[str, Any] = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    if place is not None:
        _look_at(place, workspace, environment)
        options = {"address": place}
    try:
        with _stop_signal_kept():
            ray.init(**options, runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False)
        nodes = [_node(found) for found in ray.nodes() if found["Alive"]]
    except Exception as error:
        ray.shutdown()
        raise _not_there(place, first_line(error)) from None
    try:
        yield nodes
    finally:
        ray.shutdown()


def cluster_address() -> str | None:
    """HOST:PORT or "auto" by RAY_ADDRESS; None where Ray is to be started on this machine.

    Raises RunError where it is neither, or takes no connection.
    """
    given = os.environ.get(ADDRESS, "").strip()
    if given in ("", "local"):
        return None
    if given == "auto":
        return given
    host, _, port = given.rpartition(":")
    if "://" in given or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RunError(
            "not the address of a Ray cluster",
            where=f"{ADDRESS}={given}",
            fix=f"give HOST:PORT as `ray start --head` prints it, on a machine of the cluster; {GUIDE}",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), TO_ANSWER).close()
    except OSError:
        raise _not_there(given, "nothing takes a connection there") from None
    return given


def first_line(error: BaseException) -> str:
    """What the library says first, of the innermost cause: the outer ones only say that something went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _not_there(place: str | None, why: str) -> RunError:
    if place is None:
        return RunError(
            "Ray cannot be started on this machine",
            where="runtime.engine=ray",
            fix=f"use --engine inline, or see what Ray says: {why}",
        )
    return RunError(
        "no Ray cluster that this machine can join",
        where=f"{ADDRESS}={place}",
        fix=f"start it (ray start --head there, ray start --address here), or unset {ADDRESS} to use this machine "
        f"alone; {GUIDE} ({why})",
    )


def _look_at(place: str, workspace: Path, environment: dict[str, Any]) -> None:
    asked = {"address": place, "folder": str(workspace), "environment": environment}
    try:
        look = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "simulations.engines.ray_look"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=TO_LOOK,
            check=False,
            env={**os.environ, **environment["env_vars"]},
        )
    except subprocess.TimeoutExpired:
        raise _not_there(place, f"Ray did not come to an end with it within {TO_LOOK:g} seconds") from None
    said = look.stdout.strip().splitlines()
    if look.returncode or not said:
        last = look.stderr.strip().splitlines()
        raise _not_there(place, last[-1] if last else "Ray ended without a word")
    found: dict[str, Any] = json.loads(said[-1])
    if "failed" in found:
        raise _not_there(place, found["failed"])
    _require_all_fit(found["machines"], workspace)


def _require_all_fit(machines: list[tuple[str, str]], workspace: Path) -> None:
    """machines: name, and "" or what it lacks. Raises RunError with those that lack the same."""
    for lack, what, fix in (
        ("silent", "of the Ray cluster did not answer", "look whether they are up, or take them out of it"),
        ("package", "of the Ray cluster lack this FedFundus", "install the same package there by the same path"),
        ("folder", "of the Ray cluster lack the run's folder, or may not write there", "put --out on a file "
         "system that all of them share, by the same path"),
    ):  # fmt: skip
        lacking = [name for name, found in machines if found == lack]
        if lacking:
            raise RunError(
                f"{len(lacking)} of {len(machines)} machines {what}",
                where=", ".join([*lacking, *([str(workspace)] if lack == "folder" else [])]),
                fix=f"{fix}; {GUIDE}",
            )


def _variables() -> dict[str, str]:
    """What Ray's processes need of this environment; modules are looked for where this process finds them."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = [os.path.abspath(entry) for entry in sys.path]
    return {**passed, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))}


def _node(found: dict[str, Any]) -> Node:
    resources = found["Resources"]
    name = f"{found['NodeManagerHostname']} ({found['NodeManagerAddress']})"
    return Node(name, int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))


@contextmanager
def _stop_signal_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and would end the command without its clean-up being told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
