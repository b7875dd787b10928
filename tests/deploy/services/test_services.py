"""Processes that stay: started once, told apart from others, stopped with all that they had started."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.errors import Code, DeployError
from deploy.services import records
from deploy.services.nginx import nginx
from deploy.services.ports import require_free
from deploy.services.services import Service, Services
from shared_model.errors import RunError

SLEEPS = "import time, pathlib; pathlib.Path({ready!r}).touch(); time.sleep(600)"
HAS_CHILDREN = """
import pathlib, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
pathlib.Path({ready!r}).write_text(" ".join(str(child.pid) for child in children))
time.sleep(600)
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    found = Services(tmp_path / "services")
    yield found
    found.stop(found.known(), patience=1.0)


def service(folder: Path, name: str = "sleeper", program: str = SLEEPS) -> Service:
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    text = program.format(ready=str(ready))
    return Service(name, (sys.executable, "-c", text), lambda: ready.exists() and ready.stat().st_size >= 0)


def test_started_again_it_is_the_same_process_and_stopped_it_is_gone(
    services: Services, tmp_path: Path
) -> None:
    assert services.start([service(tmp_path)]) == ["sleeper"]
    first = services.running("sleeper")
    assert first is not None
    assert os.getsid(first.pid) == first.pid  # Ctrl-C at the terminal is not for it
    assert services.start([service(tmp_path)]) == []
    assert services.running("sleeper") == first
    assert services.stop(["sleeper"]) == ["sleeper"]
    assert services.running("sleeper") is None
    assert services.stop(["sleeper"]) == []


def test_what_a_killed_process_left_is_stopped_with_it(services: Services, tmp_path: Path) -> None:
    services.start([service(tmp_path, program=HAS_CHILDREN)])
    text = _read_when_written(tmp_path / "sleeper.ready")
    children = [psutil.Process(int(pid)) for pid in text.split()]
    leader = services.running("sleeper")
    assert leader is not None
    leader.kill()
    leader.wait()
    assert all(child.is_running() for child in children)
    services.stop(["sleeper"])
    for child in children:
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_without_a_record_nothing_goes_on_running(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    born: list[int] = []

    def full(file: Path, pid: int, command: tuple[str, ...], log: int) -> None:
        born.append(pid)
        raise RunError("the disk is full")

    monkeypatch.setattr(records, "write", full)
    with pytest.raises(RunError, match="the disk is full"):
        services.start([service(tmp_path)])
    assert len(born) == 1
    assert not psutil.pid_exists(born[0])


def test_another_command_than_the_one_that_runs_is_refused_and_it_goes_on(
    services: Services, tmp_path: Path
) -> None:
    def proxy(kit: str) -> Service:
        return Service("proxy", (sys.executable, "-c", "import time; time.sleep(600)", kit), lambda: True)

    services.start([proxy("/kits/old")])
    first = services.running("proxy")
    with pytest.raises(DeployError, match="P308 the proxy that runs was started with another kit") as error:
        services.start([proxy("/kits/new"), service(tmp_path)])
    assert "it runs with /kits/old, this start asks for /kits/new" in error.value.where
    assert "stop proxy first" in error.value.fix
    assert services.running("proxy") == first
    assert services.running("sleeper") is None
    services.stop(["proxy"])
    assert services.start([proxy("/kits/new")]) == ["proxy"]


def test_one_that_ends_at_once_is_told_with_its_last_words_and_takes_the_others_along(
    services: Services, tmp_path: Path
) -> None:
    failing = Service(
        "broken", (sys.executable, "-c", "import sys; sys.exit('no such thing')"), lambda: False
    )
    with pytest.raises(DeployError, match="no such thing") as error:
        services.start([service(tmp_path), failing])
    assert error.value.code is Code.NOT_STARTED
    assert "broken.log" in error.value.where
    assert services.running("sleeper") is None


def test_one_that_is_never_ready_is_given_up(services: Services) -> None:
    idle = Service("idle", (sys.executable, "-c", "import time; time.sleep(600)"), lambda: False)
    with pytest.raises(DeployError, match="not ready within 1 seconds"):
        services.start([idle], patience=1.0)
    assert services.running("idle") is None


def test_a_broken_off_start_leaves_nothing(services: Services, tmp_path: Path) -> None:
    def pressed() -> bool:
        raise KeyboardInterrupt

    waiting = Service("waiting", (sys.executable, "-c", "import time; time.sleep(600)"), pressed)
    with pytest.raises(KeyboardInterrupt):
        services.start([service(tmp_path), waiting])
    assert [services.running(name) for name in ("sleeper", "waiting")] == [None, None]


def test_two_commands_do_not_start_at_once(services: Services, tmp_path: Path) -> None:
    def second() -> bool:
        with pytest.raises(DeployError, match="P304"):
            Services(services.folder).start([service(tmp_path, "other")])
        return True

    services.start([Service("first", (sys.executable, "-c", "import time; time.sleep(600)"), second)])


def test_a_port_in_use_is_told_with_who_has_it(services: Services, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        wanting = Service("front", (sys.executable, "-c", ""), lambda: True, ("127.0.0.1", port))
        with pytest.raises(DeployError, match=rf"^P302 port {port} is in use") as error:
            services.start([wanting])
        assert f"process {os.getpid()}" in error.value.what
    require_free("127.0.0.1", port, of="front")


def test_a_missing_nginx_is_told_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.services.nginx.shutil.which", lambda *given, **named: None)
    with pytest.raises(DeployError, match="P301") as error:
        nginx()
    assert "apt-get install nginx-light" in error.value.fix


def test_a_stopped_service_has_its_time_to_end_well(services: Services, tmp_path: Path) -> None:
    ending = tmp_path / "ended"
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.3); pathlib.Path(" + repr(str(ending)) + ").touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n" + SLEEPS
    )
    services.start([service(tmp_path, program=program)])
    services.stop(["sleeper"])
    assert ending.exists()
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN


def _read_when_written(file: Path) -> str:
    for _ in range(200):
        if text := file.read_text():
            return text
        time.sleep(0.05)
    raise AssertionError("never written")
