"""SuperLink and the front as `fedfundus-coordinator start` starts them, out of the coordinator's kit.

SuperLink listens on this machine alone and asks for node keys; its state is a file, so that nodes stay registered when
it is started anew. Telemetry, update checks and installing at run time are off. The front is nginx with the kit's
configuration.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.errors import Code, DeployError
from deploy.federation import COORDINATOR
from deploy.kits.findings import Verified, days_left
from deploy.kits.usable import require_usable
from deploy.services.nginx import proxy_service
from deploy.services.ports import listens
from deploy.services.services import Service, Services
from server.services.nodes import FOLDER, forget_nodes
from server.services.registering import register_nodes
from server.services.standing import keep_kit
from shared_model.config.validation import read_toml
from shared_model.files import naming_disk_errors
from shared_model.offline import SETTINGS

SUPERLINK, FRONT = "superlink", "front"
NAMES = (SUPERLINK, FRONT)
DATABASE = "superlink.sqlite"  # in the services' folder
REGISTER_SECONDS = 120.0
_LOOK = 0.2


def services_of(store: Path) -> Services:
    """The coordinator's processes, whose records lie in its store."""
    return Services(store / FOLDER)


def start(kit: Path, store: Path, names: tuple[str, ...] = NAMES) -> list[str]:
    """Start what does not run, register every node of the kit; the names of what was started.

    A front that runs reads the kit again. Raises DeployError, also where something runs with another kit; nothing is
    started then that did not run before.
    """
    require_usable(kit, datetime.now(UTC), name=COORDINATOR)
    services = services_of(store)
    with naming_disk_errors(services.folder):
        services.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = services.folder / DATABASE
    if not database.exists():
        forget_nodes(services.folder)
    made = {SUPERLINK: lambda: _superlink(kit, services), FRONT: lambda: _front(kit, services)}
    running = [name for name in NAMES if services.running(name) is not None]
    offered = {name: made[name]() for name in NAMES if name in names or name in running}
    services.require_same(list(offered.values()))
    keep_kit(services.folder, kit)
    started = services.start([offered[name] for name in names])
    if SUPERLINK in names:
        try:
            register_nodes(kit, services.folder)
        except BaseException:
            services.stop(list(reversed(started)))
            raise
    if FRONT in running and FRONT in names:
        services.reload(FRONT)
    return started


def register(kit: Path, store: Path, *, patience: float = REGISTER_SECONDS) -> None:
    """Tell a SuperLink that a service manager has started the nodes of the kit. patience: seconds for it to listen.

    Raises DeployError where the kit cannot be used or nobody listens, CoordinatorError where SuperLink refuses.
    """
    require_usable(kit, datetime.now(UTC), name=COORDINATOR)
    folder, (host, port) = services_of(store).folder, _superlink_address(kit)
    until = time.monotonic() + patience
    while not listens(host, port):
        if time.monotonic() > until:
            raise DeployError(
                Code.NOT_STARTED,
                f"nobody listens where SuperLink should, after {patience:g} seconds",
                where=f"{host}:{port}",
                fix="systemctl status fedfundus-superlink says what it wrote",
            )
        time.sleep(_LOOK)
    with naming_disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / DATABASE).exists():
        forget_nodes(folder)
    keep_kit(folder, kit)  # by which `status` finds the certificate, and SuperLink for what stays pending
    register_nodes(kit, folder)


def expiry(kit: Path) -> dict[str, object]:
    """Until when the coordinator's certificate is valid, and how many days that is."""
    found: Verified = require_usable(kit, datetime.now(UTC), name=COORDINATOR)
    assert found.expires is not None
    return {
        "expires": f"{found.expires:%Y-%m-%d}",
        "days_left": days_left(found.expires, datetime.now(UTC)),
    }


def _superlink(kit: Path, services: Services) -> Service:
    host, port = _superlink_address(kit)
    certificate, key = kit / "keys" / "loopback.pem", kit / "keys" / "loopback.key"
    programs = Path(sys.executable).parent
    command = [
        *(str(programs / "flower-superlink"), "--enable-supernode-auth"),
        *("--host", host, "--port", str(port), "--database", str(services.folder / DATABASE)),
        *("--ssl-ca-certfile", str(certificate), "--ssl-certfile", str(certificate)),
        *("--ssl-keyfile", str(key)),
    ]
    own = {
        "FLWR_HOME": str(services.folder / "flower"),
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",  # it starts Flower's other programs by name
    }
    return Service(SUPERLINK, command, lambda: listens(host, port), (host, port), SETTINGS | own)


def _superlink_address(kit: Path) -> tuple[str, int]:
    host, _, port = str(read_toml(kit / "kit.toml")["superlink"]["address"]).rpartition(":")
    return host, int(port)


def _front(kit: Path, services: Services) -> Service:
    port = int(read_toml(kit / "kit.toml")["coordinator"]["port"])
    return proxy_service(FRONT, kit / "front" / "nginx.conf", services.folder / FRONT, "0.0.0.0", port)
