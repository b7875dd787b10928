"""Whether a process is the one that was started: whatever the clock says, and whoever has its number by now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from deploy.errors import Code, DeployError
from deploy.services import records
from deploy.services.records import MARK
from deploy.services.services import Service, Services

SLEEP = "import time; time.sleep(600)"
# A leader of a session that starts a child, says its number and waits; the child's environment is given to it.
LEADER = f"""
import os, subprocess, sys, time
environment = eval(sys.argv[1])
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], env=environment)
print(child.pid, flush=True)
time.sleep(600)
"""
Began = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def began() -> Iterator[Began]:
    """Starts leaders of sessions, and ends them with all that they started."""
    found: list[subprocess.Popen[str]] = []
    children: list[psutil.Process] = []

    def begin(environment: Mapping[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LEADER, repr(dict(environment))],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        found.append(process)
        assert process.stdout is not None
        process.child = psutil.Process(int(process.stdout.readline()))  # type: ignore[attr-defined]
        children.append(process.child)  # type: ignore[attr-defined]
        return process

    yield begin
    for process in found:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    for child in children:
        if child.is_running():
            child.kill()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(tmp_path / "services")
    yield made
    for file in made.folder.glob("*.pid"):
        if (record := records.read(file)) and not record.doubtful():
            made.stop([file.stem], patience=1.0)


def sleeper(services: Services) -> psutil.Process:
    services.start([Service("sleeper", (sys.executable, "-c", SLEEP), lambda: True)])
    found = services.running("sleeper")
    assert found is not None
    return found


def rewritten(services: Services, **fields: object) -> None:
    """The record with other fields; None: without them."""
    file = services.folder / "sleeper.pid"
    kept = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in kept.items() if value is not None}))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_clock_that_is_set_loses_no_process(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    process, real = sleeper(services), psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda found: real(found) + 86_400.0)
    assert services.running("sleeper") == process
    assert services.stop(["sleeper"]) == ["sleeper"]
    assert gone(process)


@pytest.mark.parametrize("field", ["boot", "ticks"])
def test_whoever_has_the_number_after_it_is_left_alone(services: Services, began: Began, field: str) -> None:
    other = began(os.environ)  # leads a session, as a service would
    sleeper(services)
    services.stop(["sleeper"])
    records.write(services.folder / "sleeper.pid", other.pid)
    rewritten(services, **{field: "another boot" if field == "boot" else 7})
    assert services.running("sleeper") is None
    assert services.stop(["sleeper"]) == []
    assert other.poll() is None
    assert not gone(other.child)  # type: ignore[attr-defined]


def test_by_its_mark_a_process_is_known_whatever_the_record_says(services: Services) -> None:
    process = sleeper(services)
    rewritten(services, boot="another boot", ticks=7)
    assert services.running("sleeper") == process
    services.stop(["sleeper"])
    assert gone(process)


def test_what_a_dead_leader_left_in_its_session_is_ours_and_what_another_left_is_not(
    services: Services, began: Began, tmp_path: Path
) -> None:
    services.folder.mkdir()
    for environment, ours in (({}, True), ({"PATH": os.environ["PATH"]}, False)):
        leader = began(environment)  # nginx writes its title over its environment: empty, as the first
        child: psutil.Process = leader.child  # type: ignore[attr-defined]
        record = records.write(tmp_path / "left.pid", leader.pid)
        assert {leader.pid, child.pid} <= {one.pid for one in record.family()}
        leader.kill()
        leader.wait()
        assert [one.pid for one in record.family()] == ([child.pid] if ours else [])


def test_a_record_of_an_earlier_release_still_stops_its_process(services: Services) -> None:
    process = sleeper(services)
    began = process.create_time()
    rewritten(services, boot=None, ticks=None, command=None, log=None, began=began)
    assert services.running("sleeper") == process
    assert services.stop(["sleeper"]) == ["sleeper"]
    assert gone(process)


def test_where_an_earlier_releases_record_cannot_tell_that_is_said(services: Services, began: Began) -> None:
    other = began(os.environ)
    services.folder.mkdir()
    file = services.folder / "sleeper.pid"
    file.write_text(json.dumps({"pid": other.pid, "began": time.time() - 86_400.0}))  # as after a set clock
    assert services.running("sleeper") is None
    for command in (lambda: services.stop(["sleeper"]), lambda: sleeper(services)):
        with pytest.raises(DeployError, match="P309 an earlier release of FedFundus") as error:
            command()
        assert error.value.code is Code.OLD_RECORD
        assert (error.value.where, f"ps -fp {other.pid}" in error.value.fix) == (str(file), True)
    assert other.poll() is None
    other.kill()
    other.wait()
    assert sleeper(services).is_running()  # nobody has the number: nothing is in doubt


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": "x", "boot": "b"}', '{"boot": "b", "pid": 1}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.pid").write_text(text)
    assert records.read(tmp_path / "one.pid") is None


def test_the_mark_and_the_command_are_kept(services: Services) -> None:
    process = sleeper(services)
    record = services.record("sleeper")
    assert record is not None
    assert record.command == (sys.executable, "-c", SLEEP)
    assert process.environ()[MARK] == record.mark
    assert (services.folder / "sleeper.pid").stat().st_mode & 0o077 == 0
