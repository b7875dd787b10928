"""Worker, outbound proxy and gateway as `fedfundus-site start` starts them, all as the user who asks.

The kit's service files give each its own user, which is what keeps the gateway from the data; started here they share
one, and only the worker is set apart: it gets no network wherever the system lets it be taken away.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.approval.store import Approvals
from client.gateway.heartbeat import NAME as HEARTBEAT
from client.gateway.heartbeat import VARIABLE as HEARTBEAT_VARIABLE
from client.gateway.kit import read_gateway_kit
from client.gateway.worker_client import WorkerClient
from client.site.config import SiteConfig
from client.site.state import SiteState
from deploy.kits.findings import Verified, days_left
from deploy.kits.usable import require_usable
from deploy.services.nginx import proxy_service
from deploy.services.services import Service, Services
from shared_model.errors import ConfigError
from shared_model.files import naming_disk_errors, write_text
from shared_model.offline import SETTINGS

WORKER, PROXY, GATEWAY = "worker", "proxy", "gateway"
NAMES = (WORKER, PROXY, GATEWAY)
FOLDER, PLACES = ".fedfundus-services", "places.json"  # beside site.toml; in that folder
_NO_NETWORK = (("unshare", "--net"), ("unshare", "--user", "--map-current-user", "--net"))


@dataclass(frozen=True)
class Places:
    """Where this site's kit and its worker's socket lie, as they were given to the last start."""

    kit: Path
    socket: Path


def services_of(config: SiteConfig) -> Services:
    """The site's processes."""
    return Services(config.file.parent / FOLDER)


def places(config: SiteConfig) -> Places | None:
    """What the last start was given; None before the first."""
    try:
        found = json.loads((services_of(config).folder / PLACES).read_text(encoding="utf-8"))
        return Places(Path(found["kit"]), Path(found["socket"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def started(config: SiteConfig) -> Places | None:
    """The same while anything that was started here was not stopped; None where it is a service manager's to run."""
    return places(config) if services_of(config).known() else None


def forget(config: SiteConfig) -> None:
    """The site has left: the next start has to be given its kit."""
    (services_of(config).folder / PLACES).unlink(missing_ok=True)


def start(
    config: SiteConfig, state: SiteState, kit: Path | None, socket: Path | None, names: Sequence[str] = NAMES
) -> list[str]:
    """Start what does not run; the names of what was started. kit, socket: left out, those of the last start.

    A proxy that runs reads the kit again. Raises DeployError, also where something runs with another kit or socket;
    ConfigError; RunError where the disk refuses.
    """
    services, before = services_of(config), places(config)
    place = _places(services, before, kit, socket)
    usable(config, state, place.kit)
    with naming_disk_errors(services.folder):
        services.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = {
        WORKER: lambda: _worker(config, place),
        PROXY: lambda: _proxy(place, services),
        GATEWAY: lambda: _gateway(place, services),
    }
    running = [name for name in NAMES if services.running(name) is not None]
    wanted = [made[name]() for name in NAMES if name in names]
    services.require_same([*wanted, *(made[name]() for name in running if name not in names)])
    write_text(services.folder / PLACES, json.dumps({"kit": str(place.kit), "socket": str(place.socket)}))
    started = services.start(wanted)
    if PROXY in running and PROXY in names:
        services.reload(PROXY)
    return started


def usable(config: SiteConfig, state: SiteState, kit: Path) -> Verified:
    """The kit, if it is whole, valid now, this site's, and of the federation that was approved (if one was)."""
    known = Approvals(state).known_federation()
    expected = known.fingerprint if known else ""
    return require_usable(kit, datetime.now(UTC), name=config.site.name, authority=expected)


def expiry(found: Verified) -> dict[str, object]:
    """Until when the site's certificate is valid, and how many days that is."""
    if found.expires is None:
        return {"expires": "", "days_left": 0}
    return {"expires": f"{found.expires:%Y-%m-%d}", "days_left": days_left(found.expires, datetime.now(UTC))}


def without_network() -> tuple[str, ...]:
    """The command that takes the network from what it starts; empty where the system does not allow it."""
    if shutil.which("unshare") is None:
        return ()
    for command in _NO_NETWORK:
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return ()


def _places(services: Services, before: Places | None, kit: Path | None, socket: Path | None) -> Places:
    if kit is None and before is None:
        raise ConfigError("the first start needs this site's kit", where="--kit", fix="give its folder")
    chosen = kit.resolve() if kit is not None else before.kit if before is not None else Path()
    at = socket.absolute() if socket is not None else before.socket if before is not None else None
    return Places(chosen, at or services.folder / "worker.sock")


def _worker(config: SiteConfig, place: Places) -> Service:
    command = _ours("worker", "--config", config.file, "--socket", place.socket)

    def serves() -> bool:
        if not place.socket.exists():
            return False
        with WorkerClient(place.socket) as client:
            return client.serving()

    return Service(WORKER, command, serves, environment=SETTINGS, through=without_network())


def _proxy(place: Places, services: Services) -> Service:
    host, _, port = read_gateway_kit(place.kit).superlink.rpartition(":")
    return proxy_service(PROXY, place.kit / "proxy" / "nginx.conf", services.folder / PROXY, host, int(port))


def _gateway(place: Places, services: Services) -> Service:
    log = services.log(GATEWAY)
    before = log.stat().st_size if log.exists() else 0
    command = _ours("gateway", "--kit", place.kit, "--socket", place.socket)
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        HEARTBEAT_VARIABLE: str(services.folder / HEARTBEAT),
    }

    def began() -> bool:
        with log.open("rb") as stream:
            stream.seek(before)
            return b"gateway of " in stream.read()

    return Service(GATEWAY, command, began, environment=SETTINGS | own)


def _ours(*arguments: object) -> tuple[str, ...]:
    """A command of this package; -P: what lies in the folder that it is started in is no part of it."""
    return (sys.executable, "-P", "-m", "client", *map(str, arguments))
