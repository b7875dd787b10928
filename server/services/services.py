"""SuperLink and the front as `fedfundus-coordinator start` starts them, out of the coordinator's kit.

SuperLink listens on this machine alone and asks for node keys; its state is a file, so that nodes stay registered when
it is started anew. Telemetry, update checks and installing at run time are off. The front is nginx with the kit's
configuration.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

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


def services_of(store: Path) -> Services:
    """The coordinator's processes, whose records lie in its store."""
    return Services(store / FOLDER)


def start(kit: Path, store: Path, names: tuple[str, ...] = NAMES) -> list[str]:
    """Start what does not run, register every node of the kit; the names of what was started.

    A front that runs reads the kit again. Raises DeployError, with nothing started that did not run before.
    """
    require_usable(kit, datetime.now(UTC), name=COORDINATOR)
    services = services_of(store)
    with naming_disk_errors(services.folder):
        services.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = services.folder / DATABASE
    if not database.exists():
        forget_nodes(services.folder)
    front_ran = services.running(FRONT)
    offered = {service.name: service for service in (_superlink(kit, services), _front(kit, services))}
    keep_kit(services.folder, kit)
    started = services.start([offered[name] for name in names])
    if SUPERLINK in names:
        try:
            register_nodes(kit, services.folder)
        except BaseException:
            services.stop(list(reversed(started)))
            raise
    if front_ran is not None and FRONT in names:
        services.reload(FRONT)
    return started


def expiry(kit: Path) -> dict[str, object]:
    """Until when the coordinator's certificate is valid, and how many days that is."""
    found: Verified = require_usable(kit, datetime.now(UTC), name=COORDINATOR)
    assert found.expires is not None
    return {
        "expires": f"{found.expires:%Y-%m-%d}",
        "days_left": days_left(found.expires, datetime.now(UTC)),
    }


def _superlink(kit: Path, services: Services) -> Service:
    host, _, port = str(read_toml(kit / "kit.toml")["superlink"]["address"]).rpartition(":")
    certificate, key = kit / "keys" / "loopback.pem", kit / "keys" / "loopback.key"
    programs = Path(sys.executable).parent
    command = [
        *(str(programs / "flower-superlink"), "--enable-supernode-auth"),
        *("--host", host, "--port", port, "--database", str(services.folder / DATABASE)),
        *("--ssl-ca-certfile", str(certificate), "--ssl-certfile", str(certificate)),
        *("--ssl-keyfile", str(key)),
    ]
    own = {
        "FLWR_HOME": str(services.folder / "flower"),
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",  # it starts Flower's other programs by name
    }
    address = (host, int(port))
    return Service(SUPERLINK, command, lambda: listens(*address), address, SETTINGS | own)


def _front(kit: Path, services: Services) -> Service:
    port = int(read_toml(kit / "kit.toml")["coordinator"]["port"])
    return proxy_service(FRONT, kit / "front" / "nginx.conf", services.folder / FRONT, "0.0.0.0", port)
