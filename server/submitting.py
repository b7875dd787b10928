"""Handing a run to Flower's SuperLink, which starts the ServerApp of the *installed* package for it.

What is submitted is a description and no code: a pyproject.toml that names server.app of whatever is installed on
the coordinator's machine, and client.app of whatever is installed at a site. Flower's own command does the talking,
with a configuration of its own in the run's folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from server.errors import Code, CoordinatorError
from shared_model.files import naming_disk_errors, write_text
from shared_model.version import PACKAGE_VERSION

SECONDS = 120.0
OFFLINE = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}


@dataclass(frozen=True)
class SuperLink:
    """address: host:port, of this machine. certificates: PEM, what its own is checked against; None: no TLS."""

    address: str
    certificates: Path | None = None


def submit(folder: Path, superlink: SuperLink) -> str:
    """Start the run in `folder` (absolute); Flower's number of it. Raises CoordinatorError where Flower refuses."""
    place = folder / "flower"
    with naming_disk_errors(place):
        (place / "app").mkdir(mode=0o700, parents=True, exist_ok=True)
    write_connection(place, superlink)
    write_text(place / "app" / "pyproject.toml", tomli_w.dumps(_app()))
    setting = f"run-folder={json.dumps(str(folder))}"
    command = [sys.executable, "-m", "flwr.cli.app", "run", str(place / "app"), "coordinator"]
    try:
        done = subprocess.run(
            [*command, "--run-config", setting, "--format", "json"],
            env={**os.environ, **OFFLINE, "FLWR_HOME": str(place)},
            cwd=place,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise _refused(superlink, f"it gave no answer in {SECONDS:g} seconds") from None
    except ValueError:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise _refused(superlink, lines[-1] if lines else f"flwr run ended with {done.returncode}") from None
    if not answer.get("success"):
        raise _refused(superlink, str(answer.get("error-message", "flwr run failed")))
    return str(answer["run-id"])


def write_connection(home: Path, superlink: SuperLink) -> None:
    """What Flower's commands read in `home` (FLWR_HOME): the SuperLink, under the name `coordinator`."""
    with naming_disk_errors(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(home / "config.toml", tomli_w.dumps(_connection(superlink)))


def _connection(superlink: SuperLink) -> dict[str, object]:
    security: dict[str, object] = {"insecure": True}
    if superlink.certificates is not None:
        security = {"root-certificates": str(superlink.certificates.resolve())}
    return {
        "superlink": {"default": "coordinator", "coordinator": {"address": superlink.address, **security}}
    }


def _app() -> dict[str, object]:
    components = {"serverapp": "server.app:app", "clientapp": "client.app:app"}
    app = {"publisher": "fedfundus", "components": components, "config": {"run-folder": ""}}
    project = {
        "name": "fedfundus",
        "version": PACKAGE_VERSION,
        "description": "FedFundus",
        "license": "Apache-2.0",
    }
    return {"project": project, "tool": {"flwr": {"app": app}}}


def _refused(superlink: SuperLink, why: str) -> CoordinatorError:
    return CoordinatorError(
        Code.UNREACHABLE,
        f"the SuperLink did not take the run: {' '.join(why.split())[:300]}",
        where=superlink.address,
        fix="see that it runs on this machine at this address, and its log",
    )
