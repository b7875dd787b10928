"""A whole federation on loopback as processes that a test kills: SuperLink, front, and each site's three.

Everything comes from kits of a real authority; commands are those of the service files. PYTHONPATH has the folder of
tests/faults/hooks, so that a test can hold any process at a named point of the round.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from deployed import PATIENCE, ROOT, Site, make_federation, make_site
from fault_disk import mounted
from fault_runs import Runs, wait_until

from client.site.config import load_site
from server.kit import Kit, read_kit
from server.store.runs import RunStore
from shared_model.offline import SETTINGS

BIN = Path(sys.executable).parent
HOOKS = Path(__file__).with_name("hooks")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
SITES = ("paulista", "moema", "santos")
SUPERLINK, FRONT = "superlink", "front"


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Deployment(Runs):
    """sites: by name. store: the coordinator's. proxies: whether nginx stands between, as it does at hospitals.

    upstream: the port at which sites find the coordinator's front, where something stands before it (a slow line).
    small_disk: the site whose state has a small file system of its own. on_ports: hears the ports that were chosen.
    """

    folder: Path
    data: Path
    names: tuple[str, ...] = SITES
    proxies: bool = NGINX is not None
    store_folder: Path | None = None
    upstream: int = 0
    small_disk: str = ""
    on_ports: Callable[[dict[str, int]], object] = dict
    sites: dict[str, Site] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = free_ports(2 + len(self.names))
        self.ports = dict(zip((SUPERLINK, FRONT, *self.names), ports, strict=True))
        self.on_ports(self.ports)
        described = [{"name": name, "proxy_port": self.ports[name]} for name in self.names]
        text = {
            "name": "north",
            "coordinator": {
                "hosts": ["localhost", "127.0.0.1"],
                "port": self.ports[FRONT],
                "superlink_port": self.ports[SUPERLINK],
            },
            "sites": described,
        }
        self.kits = make_federation(self.folder, json.dumps(text))  # JSON is YAML
        self.faults = self.folder / "faults"
        self.faults.mkdir()
        self.store = RunStore(self.store_folder or self.folder / "store")
        for name in self.names:
            (self.folder / name).mkdir()
            self.sites[name] = make_site(self.folder / name, self.data, self.kits / name)
            if name == self.small_disk:
                mounted(self.state(name), 64)
            self.sites[name].trust()
        if self.upstream:
            self._put_between(self.upstream)

    def state(self, name: str) -> Path:
        """Where a site keeps what its worker writes."""
        return load_site(self.sites[name].file).state

    @property
    def kit(self) -> Kit:
        return read_kit(self.kits / "coordinator")

    def start_all(self) -> None:
        self.start(SUPERLINK)
        for name in self.names:
            self._register(name)
        for process in self.all_names()[1:]:
            self.start(process, ready=not process.endswith("worker"))
        for name in self.names:
            self.wait_for_worker(name)
        for name in self.names:
            gateway = f"{name}.gateway"
            wait_until(
                lambda g=gateway: "connected as node" in self.log(g),
                gateway,
                log=lambda g=gateway: self.log(g),
            )

    def all_names(self) -> list[str]:
        between = [FRONT] if self.proxies else []
        kinds = ("proxy", "worker", "gateway") if self.proxies else ("worker", "gateway")
        return [SUPERLINK, *between, *(f"{name}.{kind}" for name in self.names for kind in kinds)]

    def start(self, process: str, *, ready: bool = True) -> None:
        """Start one, as a service manager does; with `ready`, return once it can do its work."""
        name = process.partition(".")[0]
        environment = os.environ | SETTINGS | {
            "PYTHONPATH": f"{HOOKS}:{ROOT}", "FEDFUNDUS_FAULTS": str(self.faults), "OMP_NUM_THREADS": "1",
            "FEDFUNDUS_FAULT_NAME": name if name in self.names else "coordinator",
            "PATH": f"{BIN}:{os.environ['PATH']}", "FLWR_HOME": str(self.folder / f"flwr-{process}"),
        }  # fmt: skip
        with (self.folder / f"{process}.log").open("ab") as log:
            self.processes[process] = subprocess.Popen(
                self._command(process),
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready and (port := self._port(process)):
            wait_until(lambda: listens(port), f"{process} to listen", log=lambda: self.log(process))
        elif ready and process.endswith("worker"):
            self.wait_for_worker(name)

    def wait_for_worker(self, name: str) -> None:
        from client.gateway.worker_client import WorkerClient

        site, process = self.sites[name], self.processes[f"{name}.worker"]
        wait_until(
            lambda: site._serves(process), f"the worker of {name}", log=lambda: self.log(f"{name}.worker")
        )  # type: ignore[arg-type]
        with WorkerClient(site.socket) as client:
            package = client.status().package
        if package not in site.approvals().packages():
            site.approvals().approve_package(package)

    def kill(self, process: str) -> None:
        """kill -9 of that process and of no other: what it had started is left as it is."""
        found = self.processes[process]
        found.send_signal(signal.SIGKILL)
        if process == FRONT or process.endswith("proxy"):  # a master without its worker would start another
            for child in self._nginx_children(found.pid):
                child.kill()
        found.wait(30)

    def kill_server_app(self) -> None:
        found = self.server_app()
        assert found is not None
        found.kill()

    def server_app(self) -> psutil.Process | None:
        """The process that runs the rounds."""
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if "flwr-serverapp" in line and f"127.0.0.1:{self.ports[SUPERLINK]}" in line:
                return process
        return None

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for name, process in self.processes.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self._kill_group(process.pid)
            if name == SUPERLINK:
                self._kill_group(process.pid)
        if found := self.server_app():
            found.kill()

    def log(self, process: str) -> str:
        file = self.folder / f"{process}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def everything(self, run: str) -> str:
        """The ends of all logs, for a test that fails."""
        ends = [f"== {name}\n{self.log(name)[-1500:]}" for name in self.all_names()]
        return "\n".join([repr(self.row(run)), *ends])

    def _command(self, process: str) -> list[str]:
        name, _, kind = process.partition(".")
        if process == SUPERLINK:
            keys = self.kits / "coordinator" / "keys"
            return [
                str(BIN / "flower-superlink"), "--enable-supernode-auth", "--host", "127.0.0.1",
                "--port", str(self.ports[SUPERLINK]), "--database", str(self.folder / "superlink.sqlite"),
                "--ssl-ca-certfile", str(keys / "loopback.pem"), "--ssl-certfile", str(keys / "loopback.pem"),
                "--ssl-keyfile", str(keys / "loopback.key"),
            ]  # fmt: skip
        if process == FRONT:
            return self._nginx(self.kits / "coordinator" / "front", process)
        site = self.sites[name]
        if kind == "proxy":
            return self._nginx(self.kits / name / "proxy", process)
        command = [sys.executable, "-m", "client", kind, "--socket", str(site.socket)]
        if kind == "worker":
            return [*command, "--config", str(site.file)]
        direct = [
            "--superlink", f"127.0.0.1:{self.ports[SUPERLINK]}",
            "--root-certificates", str(self.kits / "coordinator" / "keys" / "loopback.pem"),
        ]  # fmt: skip
        return [*command, "--kit", str(site.kit), *([] if self.proxies else direct)]

    def _nginx(self, folder: Path, process: str) -> list[str]:
        state = self.folder / f"state-{process}"
        state.mkdir(exist_ok=True)
        user = "user root; " if os.geteuid() == 0 else ""  # the kit lies in root's own folder here
        return [
            str(NGINX),
            "-p",
            str(state),
            "-c",
            str(folder / "nginx.conf"),
            "-e",
            "stderr",
            "-g",
            f"{user}daemon off;",
        ]

    def _port(self, process: str) -> int:
        if process in (SUPERLINK, FRONT):
            return self.ports[process]
        return self.ports[process.partition(".")[0]] if process.endswith("proxy") else 0

    def _put_between(self, port: int) -> None:
        for name in self.names:
            file = self.kits / name / "proxy" / "nginx.conf"
            file.write_text(file.read_text().replace(f":{self.ports[FRONT]};", f":{port};"))

    def _register(self, name: str) -> None:
        home = self.folder / "flwr-operator"
        home.mkdir(exist_ok=True)
        certificate = self.kits / "coordinator" / "keys" / "loopback.pem"
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "local"\n[superlink.local]\naddress = "127.0.0.1:{self.ports[SUPERLINK]}"\n'
            f'root-certificates = "{certificate}"\n'
        )
        key = str(self.kits / name / "certificates" / "node.pub")
        done = subprocess.run(
            [str(BIN / "flwr"), "supernode", "register", key, "local", "--name", name],
            cwd=home, env=os.environ | SETTINGS | {"FLWR_HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def _nginx_children(self, pid: int) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["name"]):
            try:
                if process.info["name"] == "nginx" and os.getsid(process.pid) == pid:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def _kill_group(self, pid: int) -> None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
