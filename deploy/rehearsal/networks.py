"""Where the rehearsed machines are: a network namespace each where root may make them, otherwise all on loopback.

The namespaces are held by processes that die with this one, so that nothing of them can stay behind: one for a bridge,
which stands for the way between buildings, and one for the coordinator and each site, with a line to it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared_model.errors import RunError

COORDINATOR = "coordinator"
_PREFIX = "10.211.77"  # in namespaces of our own: whatever uses these addresses outside is not met
_HOLD = ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity")


@dataclass(frozen=True)
class Place:
    """One rehearsed machine. prefix: the command that runs another there. address: at which others reach it."""

    name: str
    prefix: tuple[str, ...]
    address: str
    proxy_port: int


class Network(Protocol):
    """Places, and a word on what stands between them."""

    described: str
    port: int
    superlink_port: int
    places: dict[str, Place]

    def close(self) -> None:
        """Let go of it."""
        ...


class Loopback:
    """All on 127.0.0.1, each process at a port of its own."""

    described = "loopback (namespaces need root with unshare, nsenter, setpriv and ip): the machines are not set apart"

    def __init__(self, sites: Sequence[str]) -> None:
        ports = free_ports(2 + len(sites))
        self.port, self.superlink_port = ports[:2]
        self.places = {COORDINATOR: Place(COORDINATOR, (), "127.0.0.1", 0)}
        self.places |= {
            site: Place(site, (), "127.0.0.1", port) for site, port in zip(sites, ports[2:], strict=True)
        }

    def close(self) -> None:
        """Nothing was made."""


@dataclass
class Namespaces:
    """A network namespace for each. The host's own network is not touched."""

    sites: Sequence[str]
    described: str = "network namespaces, one a machine, joined by a bridge"
    port: int = 8443
    superlink_port: int = 8000
    places: dict[str, Place] = field(default_factory=dict)
    _holders: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            hub = self._hold()
            _run(hub, "ip", "link", "add", "bridge", "type", "bridge")
            _run(hub, "ip", "link", "set", "bridge", "up")
            for number, name in enumerate((COORDINATOR, *self.sites), start=1):
                self.places[name] = self._place(hub, name, number)
        except BaseException:
            self.close()
            raise

    def _place(self, hub: int, name: str, number: int) -> Place:
        holder, line, address = self._hold(), f"line{number}", f"{_PREFIX}.{number}"
        _run(hub, "ip", "link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        _run(hub, "ip", "link", "set", line, "master", "bridge", "up")
        _run(holder, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run(holder, "ip", "link", "set", device, "up")
        return Place(name, _inside(holder), address, 9443)

    def _hold(self) -> int:
        holder = subprocess.Popen(_HOLD, start_new_session=True)
        self._holders.append(holder)
        ours = os.readlink("/proc/self/ns/net")
        for _ in range(200):
            if holder.poll() is None and os.readlink(f"/proc/{holder.pid}/ns/net") != ours:
                return holder.pid
            time.sleep(0.02)
        raise RunError("a network namespace could not be made", fix="run it with --network loopback")

    def cut(self, name: str, *, down: bool) -> None:
        """Take the line of a machine away, or give it back: what is on its way stays unanswered meanwhile."""
        number = list(self.places).index(name) + 1
        hub = self._holders[0].pid
        _run(hub, "ip", "link", "set", f"line{number}", "down" if down else "up")

    def close(self) -> None:
        """The namespaces go with whoever holds them."""
        for holder in self._holders:
            holder.kill()
        for holder in self._holders:
            holder.wait()


def network_for(kind: str, sites: Sequence[str]) -> Network:
    """kind: namespaces, loopback, or auto, which takes the first where the system allows it."""
    if kind == "loopback" or (kind == "auto" and not namespaces_allowed()):
        return Loopback(sites)
    return Namespaces(sites)


def namespaces_allowed() -> bool:
    """Whether this user may make a network namespace and a line into it."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "setpriv", "ip"))):
        return False
    tried = [
        "unshare",
        "--net",
        "sh",
        "-c",
        "ip link add line1 type veth peer name eth0 && ip link add bridge type bridge",
    ]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def _inside(holder: int) -> tuple[str, ...]:
    return ("nsenter", f"--net=/proc/{holder}/ns/net", "--")


def _run(holder: int, *command: str) -> None:
    done = subprocess.run([*_inside(holder), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(
            f"the rehearsed network could not be made: {done.stderr.strip()[:200]}",
            where=" ".join(command),
            fix="run it with --network loopback",
        )
