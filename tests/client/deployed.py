"""A deployed site for tests: a kit from a real authority, a site.toml over noise, and its worker as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from client.approval.store import Approvals
from client.approval.trusted import trusted_of_kit
from client.gateway.worker_client import WorkerClient
from client.site.config import SiteConfig, load_site
from client.site.state import SiteState
from deploy.authority.authority import Authority
from deploy.federation import parse_federation
from deploy.provision import Workplace, new_federation
from server.signing import make_plan, sign_plan
from shared_model.config import Config
from shared_model.run_plan import RunPlan, SignedPlan

ROOT = Path(__file__).parents[2]
FEDERATION = """
name: north
coordinator:
  hosts: [localhost, 127.0.0.1]
  port: 18443
sites:
  - name: paulista
  - name: moema
"""
PATIENCE = 600.0  # seconds for a process to start, or a small run to end, on a busy machine


def make_federation(folder: Path, text: str = FEDERATION, now: datetime | None = None) -> Path:
    """The folder of everybody's kits."""
    described = parse_federation(text.encode(), "federation.yaml")
    now = now or datetime.now(UTC).replace(microsecond=0)
    authority, signer = Authority.create(folder / "authority", described, None, now)
    place = Workplace(authority, signer, folder / "kits", now)
    new_federation(place, described)
    return folder / "kits"


def signed_by_kit(plan: RunPlan, kit: Path, name: str = "coordinator") -> SignedPlan:
    """The plan under the key of a kit."""
    key, certificate = kit / "keys" / f"{name}.key", kit / "certificates" / f"{name}.pem"
    return sign_plan(plan, key=key.read_bytes(), certificate=certificate.read_bytes())


def plan_of(config: Config, run: str = "run-1") -> RunPlan:
    return make_plan(config, run=run, federation="north")


@dataclass
class Site:
    """One hospital: folder holds site.toml and data; socket is where its worker serves."""

    folder: Path
    kit: Path
    socket: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "site.toml"

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def opened(self) -> tuple[SiteConfig, SiteState]:
        config = load_site(self.file)
        return config, SiteState.open(config.state, config.key)

    def approvals(self) -> Approvals:
        return Approvals(self.opened()[1])

    def trust(self) -> None:
        """What `approve --kit` writes, without anybody asked."""
        self.approvals().trust(trusted_of_kit(self.kit, self.kit.name))

    def start(self) -> subprocess.Popen[str]:
        """The worker's process, once it serves; its package is approved."""
        command = [
            sys.executable,
            "-m",
            "client",
            "worker",
            "--config",
            str(self.file),
            "--socket",
            str(self.socket),
        ]
        with (self.folder / "worker.log").open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        self.processes.append(process)
        wait_for(lambda: self._serves(process), "the worker to serve", lambda: self.log)
        with WorkerClient(self.socket) as client:  # not measured here: somebody may be editing the package
            self.approvals().approve_package(client.status().package)
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(PATIENCE)

    def _serves(self, process: subprocess.Popen[str]) -> bool:
        assert process.poll() is None, self.log
        if not self.socket.exists():
            return False
        with WorkerClient(self.socket) as client:
            return client.serving()


def make_site(folder: Path, data: Path, kit: Path, *, policy: str = "minimum_cell = 3") -> Site:
    """A hospital named as its kit is, with a copy of the noise in `data`."""
    shutil.copytree(data, folder / "data")
    (folder / "site.toml").write_text(
        f'[site]\nname = "{kit.name}"\n[data]\nfolder = "data"\n[split]\ntrain = 0.6\nvalidation = 0.2\n'
        f'[policy]\n{policy}\n[resources]\nprocesses = 1\ndevice = "cpu"\nthreads = 1\n'
    )
    return Site(folder, kit, folder / "worker.sock")


def wait_for(true, what: str, log=lambda: "") -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"waited in vain for {what}: {log()}"
        time.sleep(0.1)


def write_plan(signed: SignedPlan, file: Path) -> Path:
    file.write_text(json.dumps(signed.to_field()))
    return file
