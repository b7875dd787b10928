"""What keeps a site from answering has a number, a fix and an exit code; what its processes say is not guessed."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deployed import make_federation

from client.approval import status as looking
from client.approval.store import Approvals
from client.approval.trusted import trusted_of_kit
from client.cli import main
from client.gateway import heartbeat
from client.services import managed
from client.services.connected import await_connected
from client.services.services import NAMES, PLACES, places, services_of
from client.services.standing import standing
from client.site.config import load_site
from client.site.opening import open_site
from deploy.errors import Code, DeployError
from deploy.rehearsal.networks import free_ports
from deploy.services.nginx import nginx, proxy_service
from deploy.services.services import Service, Services
from shared_model.errors import FedFundusError

FRONT, SUPERLINK, PROXY = free_ports(3)
FEDERATION = (
    f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {FRONT}, superlink_port: {SUPERLINK}}}\n"
    f"sites: [{{name: moema, proxy_port: {PROXY}}}]\n"
)
# Stands in for a process: says what it is given, and whatever is added to a file beside its log.
SAYS = """
import pathlib, sys, time
print(sys.argv[1], flush=True)
more, read = pathlib.Path(sys.argv[2]), 0
while True:
    if more.exists() and len(text := more.read_text()) > read:
        print(text[read:].rstrip(), flush=True)
        read = len(text)
    time.sleep(0.05)
"""
CONNECTED = "2026-11-22 13:00:00,123 INFO client.gateway.loop: connected as node 7"
REFUSED = "2026-11-22 13:00:09,123 WARNING client.gateway.activation: P402 the coordinator refuses this site"


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"), FEDERATION)


@pytest.fixture
def site(tmp_path: Path, kits: Path) -> Iterator[Path]:
    """A site whose processes have been started: each says one line and waits."""
    shutil.copytree(kits / "moema", tmp_path / "kit")
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    services = started(tmp_path)
    yield tmp_path
    services.stop(services.known())


def started(folder: Path) -> Services:
    services = services_of(load_site(folder / "site.toml"))
    services.start([said(folder, name, CONNECTED if name == "gateway" else f"{name} here") for name in NAMES])
    place = {"kit": str(folder / "kit"), "socket": str(folder / "s")}
    (services.folder / PLACES).write_text(json.dumps(place))
    return services


def said(folder: Path, name: str, words: str) -> Service:
    log = services_of(load_site(folder / "site.toml")).log(name)
    before = log.stat().st_size if log.exists() else 0
    command = (sys.executable, "-c", SAYS, words, str(folder / f"{name}.more"))
    return Service(name, command, lambda: log.stat().st_size > before)


@pytest.fixture
def front(tmp_path: Path, kits: Path) -> Iterator[None]:
    """The coordinator's own front, without a SuperLink behind it."""
    try:
        nginx()
    except FedFundusError:
        pytest.skip("nginx is not installed: NOT tested")
    services, file = Services(tmp_path / "front"), kits / "coordinator" / "front" / "nginx.conf"
    services.start([proxy_service("front", file, tmp_path / "front" / "state", "127.0.0.1", FRONT)])
    yield
    services.stop(services.known())


def stands(folder: Path) -> dict[str, Any]:
    return standing(*open_site(folder / "site.toml"))


def numbers(folder: Path) -> list[str]:
    return [problem["number"] for problem in stands(folder)["problems"]]


def test_with_all_three_and_a_coordinator_nothing_is_wrong(site: Path, front: None) -> None:
    found = stands(site)
    assert found["problems"] == []
    assert found["coordinator"]["reached"] == f"127.0.0.1:{FRONT}"


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_has_ended_is_a_problem_with_its_last_words(
    site: Path, front: None, name: str
) -> None:
    process = services_of(load_site(site / "site.toml")).running(name)
    assert process is not None
    process.kill()
    process.wait()
    problem, *others = stands(site)["problems"]
    assert (problem["number"], others) == ("P306", [])
    assert f"the {name} does not run" in problem["problem"]
    assert ("connected as node 7" if name == "gateway" else f"{name} here") in problem["where"]
    assert f"fedfundus-site logs {name}" in problem["fix"]


def test_an_expired_certificate_is_a_problem(site: Path, tmp_path: Path) -> None:
    ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    shutil.rmtree(site / "kit")
    shutil.copytree(make_federation(tmp_path / "before", FEDERATION, ago) / "moema", site / "kit")
    (problem,) = stands(site)["problems"]
    assert (problem["number"], "expired" in problem["problem"], "renewal" in problem["fix"]) == (
        "P204",
        True,
        True,
    )


def test_an_unreachable_coordinator_is_a_problem_with_what_was_tried(site: Path) -> None:
    found = stands(site)
    (problem,) = found["problems"]
    assert problem["number"] == "P401"
    assert f"tried TCP to 127.0.0.1 port {FRONT}: connection refused" in problem["problem"]
    assert problem["where"] == f"127.0.0.1:{FRONT}"
    assert found["coordinator"]["problem"].startswith("P401")


def test_a_gateway_is_connected_when_it_says_so_and_as_long(site: Path, front: None) -> None:
    more, services = site / "gateway.more", services_of(load_site(site / "site.toml"))
    log = services.log("gateway")

    def adds(text: str) -> None:
        with more.open("a") as stream:
            stream.write(text + "\n")
        until = time.monotonic() + 60
        while not log.read_text().endswith(text + "\n"):
            assert time.monotonic() < until
            time.sleep(0.02)

    adds(
        "\n".join(
            f"2026-11-22 13:00:01,123 INFO client.gateway.loop: answered train {n}" for n in range(2000)
        )
    )
    assert numbers(site) == []  # it said so long ago
    adds(REFUSED)
    (problem,) = stands(site)["problems"]
    assert problem["number"] == "P404"
    assert "P402 the coordinator refuses this site" in problem["where"]
    adds(CONNECTED)
    assert numbers(site) == []


def test_a_log_that_was_cut_since_is_no_problem_until_it_says_one(site: Path, front: None) -> None:
    log = services_of(load_site(site / "site.toml")).log("gateway")
    os.truncate(log, 0)  # as logrotate does with copytruncate
    assert numbers(site) == []
    (site / "gateway.more").write_text(REFUSED)
    until = time.monotonic() + 10
    while numbers(site) != ["P404"]:
        assert time.monotonic() < until


def test_what_an_earlier_gateway_said_does_not_count(site: Path, front: None) -> None:
    services = services_of(load_site(site / "site.toml"))
    services.stop(["gateway"])
    services.start([said(site, "gateway", "gateway of moema to 127.0.0.1")])
    (problem,) = stands(site)["problems"]
    assert (problem["number"], "gateway of moema" in problem["where"]) == ("P404", True)
    with pytest.raises(DeployError, match="P404") as error:
        await_connected(services, 0.5)
    assert "its last words: gateway of moema" in error.value.where
    (site / "gateway.more").write_text(CONNECTED)
    await_connected(services, 60.0)
    services.stop(["gateway"])
    with pytest.raises(DeployError) as error:
        await_connected(services, 60.0)
    assert error.value.code is Code.ENDED


def signs(folder: Path, age: float) -> None:
    """The gateway's last sign of life was so many seconds ago; infinite: it is not connected."""
    file = services_of(load_site(folder / "site.toml")).folder / heartbeat.NAME
    file.touch()
    last = 0.0 if age == math.inf else time.time() - age
    os.utime(file, (last, last))


def says(folder: Path, line: str) -> None:
    with (folder / "gateway.more").open("a") as stream:
        stream.write(line + "\n")
    log = services_of(load_site(folder / "site.toml")).log("gateway")
    until = time.monotonic() + 60
    while not log.read_text().endswith(line + "\n"):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("age", "said"),
    [(5.0, ""), (85.0, ""), (200.0, "has given no sign for 200 seconds"), (math.inf, "is not connected")],
)
def test_a_gateway_whose_last_sign_is_old_is_not_connected_whatever_its_log_says(
    site: Path, front: None, age: float, said: str
) -> None:
    signs(site, age)
    problems = stands(site)["problems"]
    assert [problem["number"] for problem in problems] == (["P404"] if said else [])
    assert all(said in problem["problem"] for problem in problems)


def test_a_gateway_that_is_halted_is_not_connected(site: Path, front: None) -> None:
    signs(site, 0.0)
    process = services_of(load_site(site / "site.toml")).running("gateway")
    assert process is not None
    process.suspend()
    try:
        (problem,) = stands(site)["problems"]
        assert (problem["number"], f"kill -CONT {process.pid}" in problem["fix"]) == ("P404", True)
    finally:
        process.resume()


def test_a_failed_attempt_counts_where_the_log_is_all_there_is(site: Path, front: None) -> None:
    says(site, "WARNING :   Connection attempt failed, retrying in 4.00 seconds")
    (problem,) = stands(site)["problems"]
    assert (problem["number"], "SuperLink" in problem["fix"]) == ("P404", True)
    assert "retrying in 4.00 seconds" in problem["where"]
    signs(site, 3.0)  # a gateway that gives signs would say itself that the connection is lost
    assert numbers(site) == []
    signs(site, math.inf)
    assert numbers(site) == ["P404"]
    (services_of(load_site(site / "site.toml")).folder / heartbeat.NAME).unlink()
    says(site, "INFO :      Connection successful after 7.00 seconds and 4 tries.")
    assert numbers(site) == []


STILL = (
    f"2026-11-22 13:00:09,123 WARNING client.gateway.activation: {heartbeat.STILL_CONNECTED}: another runs"
)


def test_a_start_waits_for_a_node_that_still_counts_as_connected(site: Path) -> None:
    services = services_of(load_site(site / "site.toml"))
    says(site, STILL)
    with pytest.raises(DeployError) as error:
        await_connected(services, 0.1, 0.5)
    assert error.value.fix.startswith("nothing: within a minute")
    speaker = threading.Timer(1.0, lambda: (site / "gateway.more").write_text(f"{STILL}\n{CONNECTED}\n"))
    speaker.start()
    await_connected(services, 0.1, 60.0)


SYSTEMCTL = """#!/bin/sh
case "$4" in
fedfundus-proxy.service) echo LoadState=loaded; echo ActiveState={proxy};;
fedfundus-gateway.service) echo LoadState={loaded}; echo ActiveState={gateway};;
esac
"""


@pytest.mark.parametrize(
    ("proxy", "loaded", "gateway", "ended"),
    [
        ("active", "loaded", "active", []),
        ("active", "loaded", "failed", ["gateway"]),
        ("activating", "loaded", "inactive", ["proxy", "gateway"]),  # again and again, with pauses between
        ("active", "not-found", "inactive", []),
    ],
)
def test_where_a_service_manager_has_them_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, loaded: str, gateway: str, ended: list[str]
) -> None:
    """A stand-in for systemctl, which answers here only where systemd runs."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(proxy=proxy, loaded=loaded, gateway=gateway))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    problems = stands(tmp_path)["problems"]
    assert [problem["where"] for problem in problems] == [f"fedfundus-{name}.service" for name in ended]
    assert all(problem["number"] == "P306" and "journalctl -u" in problem["fix"] for problem in problems)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for systemctl: both units are active."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(proxy="active", loaded="loaded", gateway="active"))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize(("age", "found"), [(None, []), (5.0, []), (200.0, ["P404"]), (math.inf, ["P404"])])
def test_the_sign_of_a_unit_is_looked_at(
    tmp_path: Path, manager: None, monkeypatch: pytest.MonkeyPatch, age: float | None, found: list[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    folder = services_of(load_site(tmp_path / "site.toml")).folder
    monkeypatch.setattr(managed, "UNIT", folder / heartbeat.NAME)
    if age is not None:
        folder.mkdir()
        signs(tmp_path, age)
    assert numbers(tmp_path) == found


def test_after_a_full_stop_the_service_manager_is_asked_and_the_next_start_knows_its_kit(
    site: Path, manager: None
) -> None:
    config = load_site(site / "site.toml")
    services_of(config).stop(["gateway"])
    assert "processes" in stands(site)
    services_of(config).stop(NAMES)
    assert stands(site) == {"problems": []}
    kept = places(config)
    assert kept is not None
    assert kept.kit == site / "kit"


@pytest.fixture
def operator(site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(command: str, *given: object) -> tuple[int, str, str]:
        line = ["fedfundus-site", command, *map(str, given), "--config", str(site / "site.toml")]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_status_prints_each_problem_with_its_fix_and_exits_with_3(
    operator: Callable[..., Any], site: Path
) -> None:
    services_of(load_site(site / "site.toml")).stop(["proxy"])
    code, told, _ = operator("status")
    assert code == looking.BROKEN
    for words in (
        "PROBLEM P307 this site's worker cannot be reached",
        "PROBLEM P306 the proxy does not run",
        "PROBLEM P401 the coordinator cannot be reached",
        f"where: {site / 's'}",
        "fix: fedfundus-site start",
    ):
        assert words in told
    code, told, _ = operator("status", "--json")
    document = json.loads(told)
    assert (code, [problem["number"] for problem in document["problems"]]) == (3, ["P307", "P306", "P401"])
    assert all(problem["fix"] for problem in document["problems"])


def test_a_site_that_has_left_says_so_and_nothing_is_to_be_mended(
    operator: Callable[..., Any], site: Path
) -> None:
    config, state = open_site(site / "site.toml")
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    assert operator("leave", "--yes")[0] == 0
    assert places(config) is None
    code, told, _ = operator("status", "--json")
    document = json.loads(told)
    (problem,) = document["problems"]
    assert (code, problem["number"], problem["fix"].startswith("nothing")) == (3, "P307", True)
    assert document["left"].startswith(f"{datetime.now(UTC):%Y-%m-}")
    assert "left the federation on" in operator("status")[1]
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    assert json.loads(operator("status", "--json")[1])["left"] == ""


def test_a_bundle_names_what_is_wrong_and_no_place(operator: Callable[..., Any], site: Path) -> None:
    assert operator("logs", "--bundle", site / "help.tar.gz")[0] == 0
    with tarfile.open(site / "help.tar.gz") as archive:
        file = archive.extractfile("fedfundus-site/status.json")
        assert file is not None
        text = file.read().decode()
    problems = json.loads(text)["problems"]
    assert [problem["number"] for problem in problems] == ["P307", "P401"]
    assert problems[0]["problem"] == "this site worker cannot be reached"
    assert "the coordinator cannot be reached; tried TCP to # port #" in problems[1]["problem"]
    for hidden in (str(site), "127.0.0.1", str(FRONT)):
        assert hidden not in text


def test_what_status_finds_decides_its_exit_code() -> None:
    package = "ab" * 32
    ready: dict[str, Any] = {
        "worker": {"problem": "", "package": package},
        "federation": {"name": "north"},
        "package": {"sha256": package, "approved": "2026-11-22"},
        "plans": [],
        "certificate": {"days_left": 28},
        "problems": [],
    }
    assert looking.exit_code(ready) == looking.READY
    assert looking.exit_code(ready | {"certificate": {"days_left": 27}}) == looking.WAITS
    assert looking.exit_code(ready | {"problems": [{"number": "P306"}]}) == looking.BROKEN


def test_another_kit_than_the_one_that_runs_is_refused_and_nothing_is_changed(
    operator: Callable[..., Any], site: Path, front: None
) -> None:
    shutil.copytree(site / "kit", site / "other")
    config = load_site(site / "site.toml")
    before = {name: services_of(config).running(name) for name in NAMES}
    code, _, told = operator("start", "gateway", "--kit", site / "other")
    assert (code, "P308 the gateway that runs was started with another kit" in told) == (3, True)
    assert "stop gateway first" in told
    services_of(config).stop(["gateway"])
    code, _, told = operator("start", "gateway", "--kit", site / "other")  # proxy and worker have the old one
    assert (code, "P308 the worker that runs" in told) == (3, True)
    assert services_of(config).running("gateway") is None
    assert {name: services_of(config).running(name) for name in NAMES} == before | {"gateway": None}
    kept = places(config)
    assert kept is not None
    assert kept.kit == site / "kit"
