"""The generated proxies with a real nginx: accepted, and through them a site reaches the fleet path alone."""

from __future__ import annotations

import http.client
import http.server
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit_makers import NOW, make, reopened

from deploy.pki.keys import node_header, read_node_key
from deploy.provision import Workplace, renew, revoke

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(
    NGINX is None, reason="nginx is not installed: its configurations were NOT tested"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Behind(http.server.BaseHTTPRequestHandler):
    """What stands in for SuperLink, with its TLS on localhost: says which path arrived."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Running:
    """The coordinator's front and two sites' proxies on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("front", "superlink", "moema", "santos")}
        self.place = make(
            folder,
            f"""
name: retina-test
coordinator: {{hosts: [127.0.0.1], port: {self.ports["front"]}, superlink_port: {self.ports["superlink"]}}}
sites: [{{name: moema, proxy_port: {self.ports["moema"]}}}, {{name: santos, proxy_port: {self.ports["santos"]}}}]
""",
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.ports["superlink"]), Behind)
        keys = self.place.out / "coordinator" / "keys"
        self.secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.secured.load_cert_chain(keys / "loopback.pem", keys / "loopback.key")
        self.server.socket = self.secured.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def command(self, kit: str, *arguments: str) -> list[str]:
        state = self.folder / f"state-{kit}"
        state.mkdir(exist_ok=True)
        file = self.place.out / kit / ("front" if kit == "coordinator" else "proxy") / "nginx.conf"
        user = (
            "user root; " if Path("/proc/self").stat().st_uid == 0 else ""
        )  # the kit lies in root's own folder here
        return [
            str(NGINX),
            "-p",
            str(state),
            "-c",
            str(file),
            "-e",
            "stderr",
            "-g",
            f"{user}daemon off;",
            *arguments,
        ]

    def start(self, kit: str) -> None:
        self.processes[kit] = subprocess.Popen(self.command(kit), stderr=subprocess.DEVNULL)
        port = self.ports["front" if kit == "coordinator" else kit]
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"nginx of {kit} does not listen")

    def reload(self, kit: str) -> None:
        self.processes[kit].send_signal(signal.SIGHUP)
        time.sleep(1.0)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=20)
        self.server.shutdown()
        self.server.server_close()

    def connect(self, site: str) -> http.client.HTTPSConnection:
        """As the SuperNode: the site's own certificate for localhost is the only one believed."""
        context = ssl.create_default_context(cafile=self.place.out / site / "keys" / "loopback.pem")
        return http.client.HTTPSConnection("127.0.0.1", self.ports[site], timeout=20, context=context)

    def post(self, site: str, path: str = "/v1/fleet/pull", key_of: str | None = None) -> int:
        """What a SuperNode beside `site`'s proxy is answered, with the node key of `key_of`."""
        line = (self.place.out / (key_of or site) / "certificates/node.pub").read_text()
        connection = self.connect(site)
        headers = {"flwr-public-key": node_header(read_node_key(line, ""))}
        connection.request("POST", path, body=b"x" * 300_000, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status != 200 or body == path.encode()
        return answer.status


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    try:
        yield started
    finally:
        started.stop()


def test_nginx_accepts_both_configurations(running: Running) -> None:
    for kit in ("coordinator", "moema"):
        done = subprocess.run(running.command(kit, "-t"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "[warn]" not in done.stderr


def test_a_site_reaches_the_fleet_path_and_nothing_else(running: Running) -> None:
    for kit in ("coordinator", "moema", "santos"):
        running.start(kit)
    assert running.post("moema") == 200
    assert running.post("santos") == 200
    for path in (
        "/",
        "/v1/control/x",
        "/v1/runtime/x",
        "/v1/fleet",
        "/v1/fleet/../control/x",
        "//v1/control",
    ):
        assert running.post("moema", path) == 404, path
    assert running.post("santos", key_of="moema") == 403
    line = (running.place.out / "moema/certificates/node.pub").read_text()
    key = node_header(read_node_key(line, ""))
    for header in ({}, {"flwr-public-key": key.swapcase()}, {"flwr-public-key": key + "x"}):
        connection = running.connect("moema")
        connection.request("POST", "/v1/fleet/pull", body=b"", headers=header)
        assert connection.getresponse().status == 403
    outside = http.client.HTTPConnection("127.0.0.1", running.ports["front"], timeout=20)
    outside.request("POST", "/v1/fleet/pull", body=b"")
    assert outside.getresponse().status == 400  # plain HTTP

    later: Workplace = reopened(running.place, NOW)
    renew(later, ["moema"], new_keys=False)
    running.reload("moema")
    assert running.post("moema") == 200  # nothing was done at the coordinator
    revoke(later, "moema")
    assert running.post("moema") == 200  # not installed yet
    running.reload("coordinator")
    assert running.post("moema") in (400, 403, 502)
    assert running.post("santos") == 200
    renew(later, ["coordinator"], new_keys=True)
    running.reload("santos")
    assert running.post("santos") == 502  # the front still shows the revoked certificate
    running.reload("coordinator")
    keys = running.place.out / "coordinator" / "keys"
    running.secured.load_cert_chain(keys / "loopback.pem", keys / "loopback.key")  # SuperLink started anew
    assert running.post("santos") == 200


def written(holds: Callable[[], bool]) -> bool:
    """Whether it holds within ten seconds: nginx writes its line after it has answered."""
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def test_strangers_are_answered_and_do_not_fill_the_fronts_log(running: Running) -> None:
    for kit in ("coordinator", "moema"):
        running.start(kit)
    log = running.folder / "state-coordinator" / "front-access.log"
    believed = ssl.create_default_context(cafile=running.place.out / "moema/certificates/authority.pem")
    believed.check_hostname = False
    for number in range(200):
        if number % 2:
            outside = http.client.HTTPConnection("127.0.0.1", running.ports["front"], timeout=20)
        else:
            outside = http.client.HTTPSConnection(
                "127.0.0.1", running.ports["front"], timeout=20, context=believed
            )
        outside.request("POST", f"/v1/fleet/pull-object/{number}", body=b"")
        assert outside.getresponse().status == 400
        outside.close()
    lines = log.read_text().splitlines()
    assert 20 <= len(lines) <= 60  # of two hundred; one a second beside the first twenty
    assert all(" 400 /v1/fleet/pull-object/" in line for line in lines)
    before = len(lines)
    for _ in range(30):
        assert running.post("moema") == 200
    assert running.post("moema", key_of="santos") == 403

    def ours(status: int) -> int:
        found = log.read_text().splitlines()[before:]
        return len([line for line in found if "CN=moema" in line and f" {status} " in line])

    assert written(lambda: ours(403) == 1 and ours(200) == 30)
    revoke(reopened(running.place, NOW), "moema")
    running.reload("coordinator")
    time.sleep(1.1)
    assert running.post("moema") == 400
    assert written(lambda: ours(400) == 1)
