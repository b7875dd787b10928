"""What systemd says of the processes that the kit's service files start: `status` has no records of those."""

from __future__ import annotations

import shutil
import subprocess

from client.services.services import GATEWAY, PROXY
from deploy.errors import Code, DeployError

NAMES = (PROXY, GATEWAY)  # of the worker its socket tells
_SECONDS = 10.0


def ended_units() -> list[DeployError]:
    """Those of the kit's units that are installed and do not run. Empty where there is no systemd, or none of them."""
    return [
        _ended(name, state) for name in NAMES if (state := _state(name)) not in ("", "active", "reloading")
    ]


def _state(name: str) -> str:
    """systemd's word for it; "" where it has no such unit, or does not answer."""
    program = shutil.which("systemctl")
    if program is None:
        return ""
    command = [program, "show", "--property=LoadState", "--property=ActiveState", f"fedfundus-{name}.service"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return found.get("ActiveState", "") if found.get("LoadState") == "loaded" else ""


def _ended(name: str, state: str) -> DeployError:
    unit = f"fedfundus-{name}"
    return DeployError(
        Code.ENDED,
        f"the {name} does not run: systemd calls it {state}",
        where=f"{unit}.service",
        fix=f"systemctl start {unit}; journalctl -u {unit} says why it ended",
    )
