"""The proxies of the kits as commands: which nginx, and how it is started without a service manager."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.errors import Code, DeployError
from deploy.services.ports import listens
from deploy.services.services import Service
from shared_model.files import naming_disk_errors

_BESIDE_PATH = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"  # where root's programs lie


def nginx() -> str:
    """The program. Raises DeployError where there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path=_BESIDE_PATH)
    if found is None:
        raise DeployError(
            Code.NO_NGINX,
            "nginx is not installed, or not where programs are looked for",
            where=f"PATH, {_BESIDE_PATH}",
            fix="install it (Debian: apt-get install nginx-light), then start again",
        )
    return found


def proxy_service(name: str, configuration: Path, state: Path, host: str, port: int) -> Service:
    """nginx with a kit's configuration, listening at host and port. state: its folder for logs and temporary files."""
    with naming_disk_errors(state):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Started by root it would take on a user that cannot read a closed kit; service files give it one of its own.
    user = "user root; " if os.geteuid() == 0 else ""
    command = (
        nginx(),
        "-p",
        str(state),
        "-c",
        str(configuration),
        "-e",
        "stderr",
        "-g",
        f"{user}daemon off;",
    )
    reached = "127.0.0.1" if host == "0.0.0.0" else host
    return Service(name, command, lambda: listens(reached, port), (host, port))
