"""Our side of the idle round: the processes of a coordinator and its sites, each worker answering without a model."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from deploy.authority.authority import Authority
from deploy.errors import DeployError
from deploy.federation import parse_federation
from deploy.provision import Workplace, new_federation
from deploy.services.nginx import nginx, proxy_service
from deploy.services.services import Service, Services
from server.services.services import FRONT, SUPERLINK, start
from server.services.services import services_of as coordinators_services
from server.submitting import SuperLink
from shared_model.offline import SETTINGS
from simulations.bench.deployment_submit import submit, waited

APPS = "simulations.bench.deployment_apps"
WORKER = "simulations.bench.deployment_worker"


def our_rounds(folder: Path, sites: int, rounds: int) -> tuple[list[float], str]:
    """Seconds of each round, and what stood between in words. folder: new, short, as sockets lie in it."""
    folder.mkdir(mode=0o700)
    proxied = _has_nginx()
    kits, ports = _kits(folder, sites)
    store, own = folder / "store", Services(folder / "sites")
    started = [SUPERLINK, *([FRONT] if proxied else [])]
    try:
        start(kits / "coordinator", store, tuple(started))
        own.start(
            [one for number in range(sites) for one in _site(folder, kits, number, ports, proxied=proxied)]
        )
        link = SuperLink(f"127.0.0.1:{ports['superlink']}", kits / "coordinator" / "keys" / "loopback.pem")
        answer = folder / "ours.json"
        submit(
            folder, link, f"{APPS}:ours", f"{APPS}:nothing",
            {"sites": sites, "rounds": rounds, "answer": str(answer), "folder": str(folder / "run")},
        )  # fmt: skip
        found = waited(answer, coordinators_services(store).log(SUPERLINK))
    finally:
        own.stop(own.known())
        running = coordinators_services(store)
        running.stop(running.known())
    return found, "behind both proxies with mutual TLS" if proxied else "with TLS, without nginx"


def _has_nginx() -> bool:
    try:
        return bool(nginx())
    except DeployError:
        return False


def _kits(folder: Path, sites: int) -> tuple[Path, dict[str, int]]:
    names = ["front", "superlink", *(f"site-{number}" for number in range(sites))]
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: int(one.getsockname()[1]) for name, one in zip(names, held, strict=True)}
    for one in held:
        one.close()
    text = {
        "name": "bench",
        "coordinator": {"hosts": ["127.0.0.1"], "port": ports["front"], "superlink_port": ports["superlink"]},
        "sites": [{"name": name, "proxy_port": ports[name]} for name in names[2:]],
    }
    described = parse_federation(json.dumps(text).encode(), "federation.yaml")  # JSON is YAML
    now = datetime.now(UTC).replace(microsecond=0)
    authority, signer = Authority.create(folder / "authority", described, None, now)
    new_federation(Workplace(authority, signer, folder / "kits", now), described)
    return folder / "kits", ports


def _site(folder: Path, kits: Path, number: int, ports: dict[str, int], *, proxied: bool) -> list[Service]:
    name = f"site-{number}"
    kit, place = kits / name, folder / f"{name}.sock"
    programs = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    python = (sys.executable, "-W", "ignore", "-m")
    direct = (
        "--superlink", f"127.0.0.1:{ports['superlink']}",
        "--root-certificates", str(kits / "coordinator" / "keys" / "loopback.pem"),
    )  # fmt: skip
    log = folder / "sites" / f"{name}-gateway.log"
    worker = Service(
        f"{name}-worker", (*python, WORKER, str(place), name), place.exists, environment=SETTINGS
    )
    gateway = Service(
        f"{name}-gateway",
        (
            *python,
            "client",
            "gateway",
            "--kit",
            str(kit),
            "--socket",
            str(place),
            *(() if proxied else direct),
        ),
        lambda: "connected as node" in log.read_text(encoding="utf-8"),
        environment=SETTINGS | programs,
    )
    if not proxied:
        return [worker, gateway]
    proxy = proxy_service(
        f"{name}-proxy", kit / "proxy" / "nginx.conf", folder / f"{name}-proxy", "127.0.0.1", ports[name]
    )
    return [worker, proxy, gateway]
