"""A gateway that the front refuses: said once, asked ever more rarely, and taken up again with a renewed key."""

from __future__ import annotations

import http.server
import logging
import math
import shutil
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from deployed import make_federation
from flwr.proto.fleet_pb2 import ActivateNodeResponse, DeactivateNodeResponse, PullMessagesResponse
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatResponse
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from superlink import free_port

from client.gateway import activation, heartbeat, loop
from client.gateway.activation import Connection, await_activation
from client.gateway.heartbeat import Heartbeat, silent
from client.gateway.kit import read_gateway_kit

ROOT = Path(__file__).parents[3]
ANSWERS = {
    "activate-node": ActivateNodeResponse(node_id=7),
    "deactivate-node": DeactivateNodeResponse(),
    "pull-messages": PullMessagesResponse(),
    "send-node-heartbeat": SendNodeHeartbeatResponse(success=True),
}


class Front:
    """Answers as SuperLink behind the front does while `refuses` is 0; `known` is the only node key that it takes."""

    def __init__(self, kit: Path, port: int) -> None:
        self.refuses, self.known = 0, b""
        self.asked: Counter[str] = Counter()
        front = self

        class Answering(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                question = self.path.rpartition("/")[2]
                front.asked[question] += 1
                key = b64decode(self.headers[FLEET_HTTP_PUBLIC_KEY_HEADER])
                status = front.refuses or (403 if front.known and key != front.known else 200)
                content = ANSWERS[question].SerializeToString() if status == 200 else b"<html>nginx</html>"
                self.send_response(status)
                self.send_header("Content-Type", "application/protobuf")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(kit / "keys/loopback.pem", kit / "keys/loopback.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answering)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north")) / "paulista"


@pytest.fixture
def kit(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "kit"))


@pytest.fixture
def front(kit: Path) -> Iterator[Front]:
    found = Front(kit, free_port())
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (activation, loop):
        monkeypatch.setattr(module, "LONGEST", 0.4)
    monkeypatch.setattr(activation, "FIRST", 0.1)


@pytest.fixture
def connect(kit: Path, front: Front) -> Callable[[], Connection]:
    def connection() -> Connection:
        found = read_gateway_kit(kit, f"127.0.0.1:{front.server.server_address[1]}")
        return Connection(found.superlink, str(found.loopback[0]), found.key())

    return connection


@pytest.fixture
def running(connect: Callable[[], Connection], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run_loop, args=(connect, lambda message: message, stop))
    thread.start()
    yield
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_gateway_that_the_front_begins_to_refuse_says_so_once_and_goes_on_when_it_is_taken_again(
    running: None, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: "connected as node 7" in caplog.text)
    front.refuses = 403
    until(lambda: "P402" in caplog.text)
    before = front.asked.total()
    time.sleep(2.0)  # pauses of 0.4 s now: at most six trials
    assert front.asked.total() - before <= 7
    assert caplog.text.count("P402") == 1
    assert "do not belong together" in caplog.text
    front.refuses = 0
    until(lambda: caplog.text.count("connected as node 7") == 2)
    assert "takes this site again" in caplog.text


def test_a_renewed_node_key_is_taken_up_without_a_restart(
    running: None, front: Front, kit: Path, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: "connected as node 7" in caplog.text)
    renewed = ec.generate_private_key(ec.SECP384R1())
    front.known = public_key_to_bytes(renewed.public_key())
    until(lambda: "P402" in caplog.text)
    file = read_gateway_kit(kit).node_key
    file.write_bytes(renewed.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    until(lambda: caplog.text.count("connected as node 7") == 2)


@pytest.fixture
def refused(request: pytest.FixtureRequest, front: Front) -> None:
    front.refuses = request.param


@pytest.mark.parametrize(
    ("refused", "said"),
    [(400, "revoked"), (401, "this machine's clock"), (403, "P402"), (502, "cannot be reached")],
    indirect=["refused"],
)
def test_a_gateway_that_is_refused_as_it_begins_says_why_and_lives(
    refused: None, said: str, running: None, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: said in caplog.text)
    assert "connected" not in caplog.text
    front.refuses = 0
    until(lambda: "connected as node 7" in caplog.text)


def test_pauses_grow_up_to_the_longest(
    connect: Callable[[], Connection], front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.refuses = 403
    waited: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            if len(waited) == 12:
                self.set()
            return self.is_set()

    monkeypatch.setattr(activation, "FIRST", 2.0)
    monkeypatch.setattr(activation, "LONGEST", 60.0)
    assert await_activation(connect, Stop()) is None
    assert waited[:3] == [2.0, 3.0, 4.5]
    assert waited == sorted(waited)
    assert waited[-1] == 60.0


def test_a_gateway_whose_clock_was_off_for_a_while_lives_and_stops_when_it_is_told_to(
    front: Front, kit: Path, tmp_path: Path
) -> None:
    """At a 401 Flower interrupts its own process, so that it has to be one of its own."""
    log = tmp_path / "gateway.log"
    place = ("--kit", str(kit), "--socket", str(tmp_path / "s"))
    address = ("--superlink", f"127.0.0.1:{front.server.server_address[1]}")
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "client", "gateway", *place, *address],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
        )
    try:
        until(lambda: "connected as node 7" in log.read_text(), 60)
        front.refuses = 401
        until(lambda: "this machine's clock" in log.read_text(), 60)
        front.refuses = 0
        until(lambda: log.read_text().count("connected as node 7") == 2, 60)
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert log.read_text().endswith("stopped\n")


def test_how_a_gateway_stands_is_said_again_for_whoever_reads_a_log_that_was_rotated(
    running: None, front: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (activation, loop):
        monkeypatch.setattr(module, "REPEATED", 0.5)
    until(lambda: caplog.text.count("connected as node 7") >= 2)
    front.refuses = 403
    until(lambda: caplog.text.count("P402") >= 2)


def test_a_kit_that_is_being_installed_is_waited_for(
    running: None, front: Front, kit: Path, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: "connected as node 7" in caplog.text)
    file = read_gateway_kit(kit).node_key
    whole = file.read_bytes()
    file.unlink()
    front.refuses = 403
    until(lambda: "a file of the kit is missing" in caplog.text)
    file.write_bytes(whole)
    file.chmod(0o600)
    front.refuses = 0
    until(lambda: caplog.text.count("connected as node 7") == 2)


def test_a_superlink_that_falls_silent_behind_its_front_ends_the_sign_of_life_until_it_is_back(
    connect: Callable[[], Connection], front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "FAILING", 0.5)
    file, stop = tmp_path / "heartbeat", threading.Event()

    def run() -> None:
        with (signs := Heartbeat(file)).kept():
            loop.run_loop(connect, lambda message: message, stop, signs)

    def connected() -> bool:
        return (silent(file) or math.inf) < 60

    monkeypatch.setattr(logging.getLogger("flwr"), "level", logging.ERROR)  # as a command of ours leaves it
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        until(connected)
        front.refuses = 502
        until(lambda: not connected())
        assert silent(file) == math.inf
        front.refuses = 0
        until(connected, 60)
    finally:
        stop.set()
        thread.join(60)
    assert silent(file) is None


def test_a_node_that_still_counts_as_connected_is_tried_for_every_few_seconds(
    connect: Callable[[], Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            if len(waited) == 12:
                self.set()
            return self.is_set()

    monkeypatch.setattr(activation, "_tried", lambda connection: f"{activation.STILL_CONNECTED}: another")
    monkeypatch.setattr(activation, "LONGEST", 60.0)
    assert await_activation(connect, Stop()) is None
    assert max(waited) == activation.STILL
