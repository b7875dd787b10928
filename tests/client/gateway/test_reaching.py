"""Reaching the coordinator: what stands in the way is told with the address and everything that was tried."""

from __future__ import annotations

import http.server
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from deployed import make_federation
from superlink import free_port

from client.gateway.reaching import reach
from deploy.errors import Code, DeployError

Front = Callable[..., None]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def kits(tmp_path: Path, port: int) -> Path:
    return make_federation(tmp_path / "north", federation("north", port))


def federation(name: str, port: int) -> str:
    return f"name: {name}\ncoordinator: {{hosts: [127.0.0.1], port: {port}}}\nsites: [{{name: moema}}]\n"


@pytest.fixture
def front(port: int, tmp_path: Path) -> Iterator[Front]:
    """Starts what stands in for the front: TLS with a kit's certificate, and its answer to everything."""
    started: list[http.server.ThreadingHTTPServer] = []

    def start(
        kit: Path, *, status: int = 404, off: timedelta = timedelta(), believes: Path | None = None
    ) -> None:
        class Answering(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(datetime.now(UTC) + off, usegmt=True)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(kit / "certificates/coordinator.pem", kit / "keys/coordinator.key")
        context.load_verify_locations((believes or kit) / "certificates/authority.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answering)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def problem(kit: Path) -> DeployError:
    with pytest.raises(DeployError) as error:
        reach(kit)
    assert error.value.fix
    return error.value


def test_the_coordinator_is_reached(kits: Path, front: Front, port: int) -> None:
    front(kits / "coordinator")
    assert reach(kits / "moema") == f"127.0.0.1:{port}"


def test_where_nobody_listens_the_address_is_named(kits: Path, port: int) -> None:
    error = problem(kits / "moema")
    assert error.code is Code.UNREACHABLE
    assert f"tried TCP to 127.0.0.1 port {port}: connection refused" in error.what
    assert error.where == f"127.0.0.1:{port}"


def test_a_name_that_nobody_knows_is_named(tmp_path: Path) -> None:
    text = federation("north", 8443).replace("127.0.0.1", "nowhere.invalid")
    error = problem(make_federation(tmp_path, text) / "moema")
    assert error.code is Code.UNREACHABLE
    assert "tried the name nowhere.invalid" in error.what


def test_one_that_does_not_speak_tls_is_told(kits: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        error = problem(kits / "moema")
    assert error.code is Code.UNREACHABLE
    assert f"tried TLS with 127.0.0.1:{port}" in error.what


def test_another_federations_coordinator_is_not_believed(
    kits: Path, front: Front, port: int, tmp_path: Path
) -> None:
    other = make_federation(tmp_path / "south", federation("south", port))
    front(other / "coordinator", believes=kits / "coordinator")
    assert problem(kits / "moema").code is Code.ANOTHER_ANSWERS


def test_another_name_under_the_same_authority_is_not_believed(
    kits: Path, front: Front, tmp_path: Path
) -> None:
    kit = tmp_path / "moema"
    shutil.copytree(kits / "moema", kit)
    settings = (kit / "kit.toml").read_text()
    (kit / "kit.toml").write_text(settings.replace("coordinator.north.", "coordinator.south."))
    front(kits / "coordinator")
    error = problem(kit)
    assert error.code is Code.ANOTHER_ANSWERS
    assert "ostname mismatch" in error.what


@pytest.mark.parametrize("by", ["authority", "answer"])
def test_a_certificate_that_is_refused_is_told_from_a_line_that_is_down(
    by: str, kits: Path, front: Front, port: int, tmp_path: Path
) -> None:
    if by == "authority":  # as a front does that believes somebody else
        other = make_federation(tmp_path / "south", federation("south", port))
        front(kits / "coordinator", believes=other / "coordinator")
    else:  # as nginx does with one that was revoked
        front(kits / "coordinator", status=400)
    assert problem(kits / "moema").code is Code.REFUSED


@pytest.mark.parametrize("off", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_off_by_a_day_is_told_with_both_times(
    kits: Path, front: Front, off: timedelta
) -> None:
    front(kits / "coordinator", off=off)
    error = problem(kits / "moema")
    assert error.code is Code.CLOCK
    assert f"{datetime.now(UTC) + off:%Y-%m-%d}" in error.what
    assert "timedatectl" in error.fix
