"""`fedfundus-site gateway`: the process with the network, until it is told to stop.

Two ways to the coordinator: a loop of our own, and Flower's SuperNode with an executor of ours, which is taken where
it is asked for or where Flower's Fleet functions are not as the loop knows them. There is no third way: Flower's own
would run what the coordinator delivers.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket as sockets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from client.gateway.heartbeat import VARIABLE, Heartbeat
from client.gateway.kit import GatewayKit, read_gateway_kit
from shared_model.errors import RunError
from shared_model.offline import switch_off_what_calls_home

log = logging.getLogger(__name__)

_STOP_PATIENCE = 10.0  # seconds that the SuperNode has to end


def run_gateway(
    kit: Path,
    socket: Path,
    *,
    superlink: str = "",
    root_certificates: Path | None = None,
    supernode: bool = False,
) -> None:
    """Carry questions until interrupted. Raises FedFundusError where it cannot begin.

    superlink, root_certificates: in place of the kit's proxy and loopback certificate. supernode: use Flower's own.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request
    found = read_gateway_kit(kit, superlink)
    found.key()
    believed = root_certificates or found.loopback[0]
    switch_off_what_calls_home()
    with tempfile.TemporaryDirectory(prefix="fedfundus-gateway-") as folder:
        os.environ["FLWR_HOME"] = folder
        os.environ["FEDFUNDUS_WORKER_SOCKET"] = str(socket.absolute())
        os.environ["FEDFUNDUS_GATEWAY_KIT"] = str(kit.absolute())
        try:
            _tell_of_worker(socket)
            if supernode or _loop_does_not_fit():
                _through_supernode(found, believed, Path(folder))
            else:
                _through_loop(found, kit, superlink, root_certificates)
        except KeyboardInterrupt:  # as the service manager stops it
            print("stopped", flush=True)


def _tell_of_worker(socket: Path) -> None:
    from client.gateway.worker_client import WorkerClient

    with WorkerClient(socket) as client:
        if not client.serving():
            log.warning("no worker serves at %s yet; what is asked meanwhile is answered with that", socket)


def _loop_does_not_fit() -> bool:
    from client.gateway.contract import LOOP, problems

    found = problems(LOOP)
    for problem in found:
        log.warning("Flower's own SuperNode is used, which is slower between messages: %s", problem)
    return bool(found)


def _through_loop(found: GatewayKit, kit: Path, superlink: str, root_certificates: Path | None) -> None:
    from client.gateway.activation import Connection
    from client.gateway.app import signed, worker
    from client.gateway.forward import forward
    from client.gateway.loop import run_loop

    def connection() -> Connection:
        now = read_gateway_kit(kit, superlink)
        return Connection(now.superlink, str(root_certificates or now.loopback[0]), now.key())

    heartbeat = Heartbeat(_heartbeat_file())
    with heartbeat.kept():
        print(f"gateway of {found.site} to {found.superlink}", flush=True)
        run_loop(connection, lambda message: forward(message, worker(), signed), threading.Event(), heartbeat)


def _heartbeat_file() -> Path | None:
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def _through_supernode(kit: GatewayKit, believed: Path, folder: Path) -> None:
    """A SuperNode in process isolation as a child, and our executor beside it; both end together."""
    from client.gateway.contract import EXECUTOR, require

    require(EXECUTOR)
    Heartbeat(
        _heartbeat_file()
    ).removed()  # it would be of an earlier gateway; a SuperNode gives no such sign
    from client.gateway.app import app
    from client.gateway.executor import Executor

    secret = folder / "executor.secret"
    secret.touch(mode=0o600)
    secret.write_bytes(secrets.token_bytes(32))
    address = f"127.0.0.1:{_free_port()}"
    print(f"gateway of {kit.site} to {kit.superlink}, through a SuperNode", flush=True)
    node = subprocess.Popen(_supernode(kit, believed, address, secret))
    stop = threading.Event()
    try:
        executor = Executor(app, address, secret.read_bytes(), kit.loopback[0].read_bytes())
        thread = threading.Thread(target=executor.run, args=(stop,), name="executor", daemon=True)
        thread.start()
        code = node.wait()
        raise RunError(
            f"Flower's SuperNode ended (exit code {code})", fix="see what it wrote above; start again"
        )
    finally:
        stop.set()
        node.terminate()
        try:
            node.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            node.kill()


def _supernode(kit: GatewayKit, believed: Path, address: str, secret: Path) -> list[str]:
    certificate, key = map(str, kit.loopback)
    host, _, port = address.rpartition(":")
    return [
        str(Path(sys.executable).with_name("flower-supernode")),
        *("--superlink", kit.superlink, "--root-certificates", str(believed)),
        *("--auth-supernode-private-key", str(kit.node_key)),
        *("--isolation", "process", "--superexec-auth-secret-file", str(secret)),
        *("--host", host, "--port", port),
        *("--ssl-certfile", certificate, "--ssl-keyfile", key, "--ssl-ca-certfile", certificate),
    ]


def _free_port() -> int:
    with sockets.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
