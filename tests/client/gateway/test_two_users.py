"""A site as its service files make it: the worker's user has the data and no network, the gateway's the reverse."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed import PATIENCE, ROOT, Site, make_federation, make_site, wait_for
from two_users import GATEWAY, GROUP, NOBODYS, STRANGER, WORKER, as_user, needs_root, run_as

from client.gateway.worker_client import WorkerClient

pytestmark = needs_root

ASK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from client.gateway.worker_client import WorkerClient
with WorkerClient(Path(sys.argv[2])) as client:
    print(client.status().site)
"""
OPEN = "import sys; open(sys.argv[1], 'rb').read(1)"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


@pytest.fixture(scope="module")
def site(data_folder: Path) -> Iterator[Site]:
    """Its worker is a process of its own user, in a namespace without network."""
    top = Path(tempfile.mkdtemp(prefix="fedfundus-two-users-"))
    top.chmod(0o755)
    (top / "site").mkdir()
    site = make_site(top / "site", data_folder, make_federation(top / "north") / "paulista")
    run = top / "run"
    run.mkdir()
    run.chmod(0o710)
    os.chown(run, WORKER, GROUP)
    site.socket = run / "worker.sock"
    for path in (site.folder, *site.folder.rglob("*")):
        os.chown(path, WORKER, GROUP)
        path.chmod(0o700 if path.is_dir() else 0o600)
    arguments = ("--config", str(site.file), "--socket", str(site.socket), "--socket-group", str(GROUP))
    command = as_user(WORKER, GROUP, sys.executable, "-m", "client", "worker", *arguments, network=False)
    log = top / "worker.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            text=True,
            env=os.environ | {"HOME": str(site.folder)},
        )
    site.processes.append(process)
    wait_for(lambda: serves(process, site, log), "the worker to serve", log.read_text)
    yield site
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    shutil.rmtree(top)


def serves(process: subprocess.Popen[str], site: Site, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    if not site.socket.exists():
        return False
    with WorkerClient(site.socket) as client:
        return client.serving()


def test_the_gateways_user_may_ask_and_a_stranger_may_not(site: Site) -> None:
    assert stat.S_IMODE(site.socket.stat().st_mode) == 0o660
    assert run_as(GATEWAY, GROUP, ASK, str(ROOT), str(site.socket)) == (0, "paulista\n")
    code, told = run_as(STRANGER, NOBODYS, ASK, str(ROOT), str(site.socket))
    assert code != 0
    assert "cannot be reached" in told or "PermissionError" in told


def test_the_gateways_user_reads_no_data_no_state_and_no_configuration(site: Site) -> None:
    photograph = next((site.folder / "data").rglob("*.jpg"), None) or next(
        (site.folder / "data").rglob("*.png")
    )
    for path in (
        photograph,
        site.file,
        site.folder / ".fedfundus" / "site.key",
        site.folder / "data" / "labels_brset.csv",
    ):
        assert run_as(WORKER, GROUP, OPEN, str(path))[0] == 0
        code, told = run_as(GATEWAY, GROUP, OPEN, str(path))
        assert (code, "PermissionError" in told) == (1, True)


def test_the_worker_can_connect_nowhere(site: Site) -> None:
    """Asked of its own network: nothing is there but a loopback that is down."""
    inside = ["nsenter", f"--net=/proc/{site.processes[0].pid}/ns/net"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        outside = subprocess.run(
            [sys.executable, "-c", CONNECT, "127.0.0.1", port], capture_output=True, check=False
        )
        assert outside.returncode == 0
        for address in ("127.0.0.1", "192.0.2.1", "::1"):
            tried = subprocess.run(
                [*inside, sys.executable, "-c", CONNECT, address, port],
                capture_output=True,
                text=True,
                check=False,
            )
            assert tried.returncode != 0
            assert "Network is unreachable" in tried.stderr or "Cannot assign" in tried.stderr
