"""A site's processes in its operator's hands: started, shown, stopped, left; and what stands in the way, by number."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import make_federation

from client.approval.store import Approvals
from client.approval.trusted import trusted_of_kit
from client.audit.log import AuditLog
from client.services.services import services_of, without_network
from client.site.config import load_site
from client.site.opening import open_site
from deploy.rehearsal.networks import free_ports
from deploy.services.nginx import nginx
from shared_model.errors import FedFundusError

Run = Callable[..., tuple[int, str, str]]
COORDINATOR, PROXY = free_ports(2)


def federation(name: str) -> str:
    return (
        f"name: {name}\ncoordinator: {{hosts: [127.0.0.1], port: {COORDINATOR}}}\n"
        f"sites: [{{name: moema, proxy_port: {PROXY}}}, {{name: santos, proxy_port: {PROXY}}}]\n"
    )


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"), federation("north"))


@pytest.fixture
def site(tmp_path: Path, kits: Path) -> Path:
    shutil.copytree(kits / "moema", tmp_path / "kit")
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    return tmp_path


@pytest.fixture
def stopped(site: Path) -> Iterator[None]:
    yield
    services = services_of(load_site(site / "site.toml"))
    services.stop(services.known())


def needs_nginx() -> None:
    try:
        nginx()
    except FedFundusError:
        pytest.skip("nginx is not installed: NOT tested")


def test_started_without_a_coordinator_the_site_runs_and_says_what_was_tried(
    operator: Run, site: Path, stopped: None
) -> None:
    needs_nginx()
    code, told, noticed = operator("start", "--kit", site / "kit", "--socket", site / "s")
    assert code == 1, noticed
    assert f"P401 the coordinator cannot be reached; tried TCP to 127.0.0.1 port {COORDINATOR}" in noticed
    assert f"approve --kit {site / 'kit'}" in told
    code, told, _ = operator("status", "--json")
    document = json.loads(told)
    assert code == 3  # whatever waits for the operator: the site answers nobody
    assert [problem["number"] for problem in document["problems"]] == ["P401"]
    assert all(document["processes"].values())
    assert document["certificate"]["days_left"] == 90
    assert document["coordinator"]["problem"].startswith("P401")
    assert ("taken away" in noticed) == (not without_network())
    worker, first = document["processes"]["worker"], document["processes"]["gateway"]
    assert operator("stop", "gateway")[1] == "stopped: gateway\n"
    code, told, _ = operator("start")  # kit and socket are remembered
    assert f"worker: runs, process {worker}" in told
    assert "gateway: started" in told
    assert str(first) not in told
    assert operator("logs", "gateway", "--lines", "5")[0] == 0
    assert operator("stop")[1] == "stopped: gateway, proxy, worker\n"
    assert operator("stop")[1] == "nothing ran\n"


def test_a_port_in_use(operator: Run, site: Path) -> None:
    needs_nginx()
    with socket.create_server(("127.0.0.1", PROXY)):
        code, _, told = operator("start", "--kit", site / "kit")
    assert (code, "P302" in told, f"port {PROXY} is in use" in told) == (3, True, True)
    assert services_of(load_site(site / "site.toml")).known() == []


def test_no_nginx(operator: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.services.nginx.shutil.which", lambda *given, **named: None)
    code, _, told = operator("start", "--kit", site / "kit")
    assert (code, "P301" in told) == (3, True)


def test_no_kit_at_the_first_start(operator: Run) -> None:
    code, _, told = operator("start")
    assert (code, "--kit" in told) == (2, True)


def test_another_sites_kit(operator: Run, kits: Path) -> None:
    code, _, told = operator("start", "--kit", kits / "santos")
    assert (code, "'santos'" in told) == (2, True)


def test_a_half_copied_kit(operator: Run, site: Path) -> None:
    (site / "kit/proxy/nginx.conf").unlink()
    code, _, told = operator("start", "--kit", site / "kit")
    assert (code, "P201" in told) == (2, True)


def test_a_kit_for_another_federation_than_the_one_approved(
    operator: Run, site: Path, tmp_path: Path
) -> None:
    _, state = open_site(site / "site.toml")
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    other = make_federation(tmp_path / "south", federation("south"))
    code, _, told = operator("start", "--kit", other / "moema")
    assert (code, "P202" in told, "another authority" in told) == (2, True, True)


def test_leaving_takes_every_approval_back_and_only_with_yes(operator: Run, site: Path) -> None:
    _, state = open_site(site / "site.toml")
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    Approvals(state).approve_package("ab" * 32)
    code, told, _ = operator("leave")
    assert (code, "would be taken back: the trust in north" in told) == (1, True)
    assert "0 run plans and of 1 package\n" in told
    assert Approvals(state).known_federation() is not None
    assert Approvals(state).packages()
    code, told, _ = operator("leave", "--yes")
    assert (code, "withdraw moema --bar" in told) == (0, True)
    assert Approvals(state).known_federation() is None
    assert Approvals(state).packages() == {}
    events = [line["event"] for line in AuditLog(state).lines()]
    assert events[-2:] == ["package withdrawn", "federation forgotten"]
