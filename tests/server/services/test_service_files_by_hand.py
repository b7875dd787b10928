"""The coordinator's service files, their commands given by hand in their order: what systemd would run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.authority.authority import Authority
from deploy.errors import DeployError
from deploy.federation import parse_federation
from deploy.provision import Workplace, new_federation
from deploy.rehearsal.networks import free_ports
from deploy.services.nginx import nginx
from deploy.services.ports import listens
from server.moved import LOG
from server.services.nodes import FOLDER, site_of_node
from server.services.services import register
from server.services.standing import standing

FRONT, SUPERLINK = free_ports(2)


class Machine:
    """The paths of the service files, all below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kit, self.store = folder / "kits" / "coordinator", folder / "fedfundus-coordinator"
        self.running = ExitStack()

    def unit(self, name: str) -> str:
        text = (self.kit / "services" / f"fedfundus-{name}.service").read_text()
        programs = str(Path(sys.executable).parent)
        for theirs, ours in (
            ("/opt/fedfundus/bin", programs),
            ("/etc/fedfundus/kit", str(self.kit)),
            ("/var/lib", str(self.folder)),
            ("/usr/sbin/nginx", nginx()),
        ):
            text = text.replace(theirs, ours)
        return text

    def said(self, name: str, key: str) -> list[str]:
        return re.findall(rf"^{key}=(.*)$", self.unit(name), flags=re.MULTILINE)

    def make_folders(self, name: str) -> None:
        for folder in self.said(name, "StateDirectory")[0].split():
            (self.folder / folder).mkdir(mode=0o700, exist_ok=True)

    def run(self, name: str, key: str) -> None:
        for command in self.said(name, key):
            subprocess.run(shlex.split(command), env=self.environment(name), check=True, timeout=300)

    def begin(self, name: str, port: int) -> None:
        (command,) = self.said(name, "ExecStart")
        log = self.running.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            shlex.split(command), env=self.environment(name), stdout=log, stderr=log, start_new_session=True
        )
        self.running.callback(process.wait, 60)
        self.running.callback(process.terminate)
        until = time.monotonic() + 300
        while not listens("127.0.0.1", port):
            assert process.poll() is None, (self.folder / f"{name}.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)

    def environment(self, name: str) -> dict[str, str]:
        own = dict(line.split("=", 1) for line in self.said(name, "Environment"))
        return {"HOME": str(self.folder), "PATH": os.environ["PATH"]} | own


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        nginx()
    except DeployError:
        pytest.skip("nginx is not installed: NOT tested")
    text = (
        f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {FRONT}, superlink_port: {SUPERLINK}}}\n"
        "sites: [{name: moema}]\n"
    )
    described = parse_federation(text.encode(), "federation.yaml")
    now = datetime.now(UTC).replace(microsecond=0)
    authority, signer = Authority.create(tmp_path / "authority", described, None, now)
    new_federation(Workplace(authority, signer, tmp_path / "kits", now), described)
    found = Machine(tmp_path)
    with found.running:
        yield found


def test_superlink_is_told_its_sites_and_the_fronts_log_is_where_runs_look_for_it(machine: Machine) -> None:
    machine.make_folders("superlink")
    machine.make_folders("front")
    machine.run("superlink", "ExecStartPre")
    machine.begin("superlink", SUPERLINK)
    machine.run("superlink", "ExecStartPost")
    assert list(site_of_node(machine.store / FOLDER).values()) == ["moema"]
    machine.begin("front", FRONT)
    assert (machine.store / LOG).is_file()
    machine.run("superlink", "ExecReload")
    machine.run("front", "ExecReload")
    assert listens("127.0.0.1", FRONT)
    found = standing(machine.store)  # what `status` says of it
    assert found["answers"] == {"superlink": True, "front": True}
    assert (found["certificate"]["problem"], found["pending"]) == ("", [])


def test_a_superlink_that_does_not_come_is_said(machine: Machine) -> None:
    with pytest.raises(DeployError, match="P303 nobody listens where SuperLink should") as error:
        register(machine.kit, machine.store, patience=0.3)
    assert error.value.where == f"127.0.0.1:{SUPERLINK}"
    assert not machine.store.exists()
