"""What systemd says of the processes that the kit's service files start: `status` has no records of those.

That a unit is active does not say that its gateway is connected: for that its sign of life is looked at, which lies
where the kit's service file lets it be written and the worker's user may look.
"""

from __future__ import annotations

import shutil
import subprocess

from client.gateway.heartbeat import STALE, UNIT, silent
from client.services.connected import not_connected
from client.services.services import GATEWAY, PROXY
from deploy.errors import Code, DeployError

NAMES = (PROXY, GATEWAY)  # of the worker its socket tells
_RUN = ("active", "reloading")
_SECONDS = 10.0


def unit_problems() -> list[DeployError]:
    """Those of the kit's units that are installed and do not run, or whose gateway is not connected.

    Empty where there is no systemd, or none of them.
    """
    states = {name: _state(name) for name in NAMES}
    found = [_ended(name, state) for name, state in states.items() if state not in ("", *_RUN)]
    sign = silent(UNIT) if states[GATEWAY] in _RUN else None
    if sign is not None and sign > STALE:
        unit = f"fedfundus-{GATEWAY}"
        fix = f"journalctl -u {unit} says why; where it says nothing: systemctl restart {unit}"
        found.append(not_connected(sign, f"{unit}.service", fix))
    return found


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
