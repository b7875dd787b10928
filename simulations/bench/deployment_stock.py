"""Flower's side of the idle round: SuperLink and SuperNodes as they come, with apps that do nothing."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from deploy.services.ports import listens
from deploy.services.services import Service, Services
from server.submitting import SuperLink
from shared_model.offline import SETTINGS
from simulations.bench.deployment_submit import submit, waited

APPS = "simulations.bench.deployment_stock_apps"


def stock_rounds(folder: Path, sites: int, rounds: int) -> list[float]:
    """Seconds of each round."""
    folder.mkdir(mode=0o700)
    port, *node_ports = _free_ports(1 + sites)
    address, programs = f"127.0.0.1:{port}", Path(sys.executable).parent
    own = SETTINGS | {
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
    }
    link = Service(
        "superlink",
        (str(programs / "flower-superlink"), "--insecure", "--host", "127.0.0.1", "--port", str(port)),
        lambda: listens("127.0.0.1", port),
        environment=own,
    )
    nodes = [
        Service(
            f"node-{number}",
            (
                *(str(programs / "flower-supernode"), "--insecure", "--superlink", address),
                *("--port", str(own_port), "--node-config", f"partition-id={number}"),
            ),
            lambda own_port=own_port: listens("127.0.0.1", own_port),  # type: ignore[misc]
            environment=own,
        )
        for number, own_port in enumerate(node_ports)
    ]
    services, answer = Services(folder / "services"), folder / "stock.json"
    try:
        services.start([link, *nodes])
        config: dict[str, str | int] = {"sites": sites, "rounds": rounds, "answer": str(answer)}
        submit(folder, SuperLink(address), f"{APPS}:stock", f"{APPS}:stock_site", config)
        return waited(answer, services.log("superlink"))
    finally:
        services.stop(services.known())


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return found
