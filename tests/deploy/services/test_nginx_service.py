"""nginx as `start` begins it: its workers own nothing, and a configuration that it would not take stops nothing."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.errors import Code, DeployError
from deploy.rehearsal.networks import free_ports
from deploy.services import nginx as starting
from deploy.services.nginx import by_root, proxy_service, workers_user
from deploy.services.services import Service, Services

TEXT = """pid {name}.pid;
error_log {name}-error.log notice;
worker_processes 1;
events {{ worker_connections 16; }}
http {{
    access_log off;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{word}"; }} {more} }}
}}
"""


@pytest.fixture(autouse=True)
def installed() -> None:
    try:
        starting.nginx()
    except DeployError:
        pytest.skip("nginx is not installed: NOT tested")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    found = Services(tmp_path / "services")
    yield found
    found.stop(found.known())


class Front:
    """A configuration at a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_ports(1)[0]
        self.write("first")

    def write(self, word: str, more: str = "") -> None:
        text = TEXT.format(name="front", port=self.port, word=word, more=more)
        (self.folder / "nginx.conf").write_text(text)

    def service(self) -> Service:
        file, state = self.folder / "nginx.conf", self.folder / "state"
        return proxy_service("front", file, state, "127.0.0.1", self.port)

    def says(self) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as asked:
            asked.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return asked.recv(4096).decode().rpartition("\r\n")[2]


@pytest.fixture
def front(tmp_path: Path) -> Front:
    return Front(tmp_path)


def test_a_configuration_that_nginx_refuses_starts_nothing(services: Services, front: Front) -> None:
    front.write("first", more="no_such_word on;")
    with pytest.raises(DeployError, match="P310 nginx does not take the configuration of the front") as error:
        services.start([front.service()])
    assert 'unknown directive "no_such_word"' in error.value.where
    assert services.known() == []


def test_one_that_runs_goes_on_with_the_configuration_that_it_has(services: Services, front: Front) -> None:
    services.start([front.service()])
    process = services.running("front")
    front.write("second", more="ssl_certificate gone.pem; no_such_word on;")
    with pytest.raises(DeployError) as error:
        services.start([front.service()])
    assert error.value.code is Code.NGINX_REFUSES
    assert "goes on as it was" in error.value.fix
    assert services.running("front") == process
    assert front.says() == "first"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could give its rights away: NOT tested")
def test_started_by_root_no_worker_of_nginx_is_root(services: Services, front: Front) -> None:
    services.start([front.service()])
    assert front.says() == "first"  # a worker answers
    process = services.running("front")
    assert process is not None
    workers = process.children()
    assert len(workers) == 1
    nobody = pwd.getpwnam(workers_user().split()[0])
    assert nobody.pw_uid != 0
    assert set(workers[0].uids()) == {nobody.pw_uid}
    assert set(workers[0].gids()) == {nobody.pw_gid}
    assert "CapEff:\t0000000000000000" in Path(f"/proc/{workers[0].pid}/status").read_text()
    assert f"nginx's workers are {nobody.pw_name}'s" in by_root()


def test_root_who_can_become_nobody_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(starting, "_can_become", lambda user, group: False)
    assert workers_user() == "root"
    assert "nginx's workers included, are root's" in by_root()


def test_an_ordinary_user_has_nothing_to_give_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (workers_user(), by_root()) == ("", "")


def test_what_a_killed_nginx_left_is_stopped(services: Services, front: Front) -> None:
    services.start([front.service()])
    assert front.says() == "first"
    process = services.running("front")
    assert process is not None
    workers = process.children()
    process.kill()
    process.wait()
    assert all(psutil.pid_exists(worker.pid) for worker in workers)  # it holds the port
    assert services.start([front.service()]) == ["front"]
    assert front.says() == "first"
    assert not any(worker.is_running() and worker.status() != "zombie" for worker in workers)
