"""Logs that are copied and cut while their processes run, as docs/guides/logs.md has logrotate do it."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.rehearsal.networks import free_ports
from deploy.services.nginx import nginx, proxy_service
from deploy.services.services import Service, Services
from shared_model.errors import FedFundusError

WRITES = "import time\nwhile True:\n    print('one more line', flush=True)\n    time.sleep(0.02)\n"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    found = Services(tmp_path / "services")
    found.folder.mkdir()
    yield found
    found.stop(found.known())


def rotated(log: Path) -> bytes:
    """What the copy holds."""
    copy = Path(shutil.copy(log, f"{log}.1"))
    with log.open("r+b") as stream:
        stream.truncate(0)
    return copy.read_bytes()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_process_goes_on_at_the_beginning_of_a_log_that_was_cut(services: Services) -> None:
    log = services.log("worker")
    services.start([Service("worker", (sys.executable, "-c", WRITES), lambda: log.stat().st_size > 100)])
    assert rotated(log).startswith(b"one more line\n")
    until(lambda: log.stat().st_size > 100)
    assert set(log.read_text().splitlines()) == {"one more line"}  # no hole where the lines before stood


def test_nginx_goes_on_at_the_beginning_of_a_log_that_was_cut(services: Services) -> None:
    try:
        nginx()
    except FedFundusError:
        pytest.skip("nginx is not installed: NOT tested")
    (port,) = free_ports(1)
    conf, log = services.folder / "nginx.conf", services.folder / "front" / "access.log"
    conf.write_text(
        f"pid n.pid; error_log error.log;\nevents {{}}\nhttp {{ access_log access.log;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }} }}\n"
    )
    services.start([proxy_service("front", conf, services.folder / "front", "127.0.0.1", port)])
    for path in ("first", "second"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10):
            pass
        until(lambda p=path: p in log.read_text())  # type: ignore[misc]
        if path == "first":
            assert b"/first" in rotated(log)
    assert log.read_text().startswith("127.0.0.1 ")
    assert "/first" not in log.read_text()
