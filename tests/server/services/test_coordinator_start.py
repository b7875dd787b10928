"""`fedfundus-coordinator start` on bad ground: one numbered message, and nothing started."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.authority.authority import Authority
from deploy.federation import parse_federation
from deploy.provision import Workplace, new_federation
from deploy.rehearsal.networks import free_ports
from deploy.services.nginx import nginx
from server.cli import main
from server.services.services import services_of
from server.services.standing import keep_kit
from shared_model.errors import FedFundusError

Run = Callable[..., tuple[int, str, str]]
PORTS = free_ports(2)


def kits(folder: Path, now: datetime) -> Path:
    text = (
        f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {PORTS[0]}, superlink_port: {PORTS[1]}}}\n"
        "sites: [{name: moema}]\n"
    )
    described = parse_federation(text.encode(), "federation.yaml")
    authority, signer = Authority.create(folder / "authority", described, None, now)
    new_federation(Workplace(authority, signer, folder / "kits", now), described)
    return folder / "kits"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kits(tmp_path_factory.mktemp("north"), datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def kit(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "coordinator", tmp_path / "kit"))


@pytest.fixture
def coordinator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*given: object) -> tuple[int, str, str]:
        line = ["fedfundus-coordinator", *map(str, given), "--store", str(tmp_path / "store")]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def nothing_runs(tmp_path: Path) -> bool:
    return not services_of(tmp_path / "store").known()


def needs_nginx() -> None:
    try:
        nginx()
    except FedFundusError:
        pytest.skip("nginx is not installed: NOT tested")


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_in_use(taken: int, coordinator: Run, kit: Path, tmp_path: Path) -> None:
    needs_nginx()
    with socket.create_server(("127.0.0.1", PORTS[taken])):
        code, _, told = coordinator("start", "--kit", kit)
    assert (code, "P302" in told, f"port {PORTS[taken]} is in use" in told) == (3, True, True)
    assert nothing_runs(tmp_path)


def test_no_nginx(coordinator: Run, kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.services.nginx.shutil.which", lambda *given, **named: None)
    code, _, told = coordinator("start", "--kit", kit)
    assert (code, "P301" in told, "apt-get install nginx-light" in told) == (3, True, True)
    assert nothing_runs(tmp_path)


def test_a_half_copied_kit(coordinator: Run, kit: Path, tmp_path: Path) -> None:
    (kit / "keys/coordinator.key").unlink()
    code, _, told = coordinator("start", "--kit", kit)
    assert (code, "P201" in told, "keys/coordinator.key" in told) == (2, True, True)
    assert nothing_runs(tmp_path)


def test_a_clock_that_is_a_day_behind(coordinator: Run, tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    kit = kits(tmp_path / "tomorrow", tomorrow) / "coordinator"
    code, _, told = coordinator("start", "--kit", kit)
    assert (code, "P203" in told, "clock" in told, "timedatectl" in told) == (2, True, True, True)
    assert nothing_runs(tmp_path)


def test_a_sites_kit(coordinator: Run, made: Path, tmp_path: Path) -> None:
    code, _, told = coordinator("start", "--kit", made / "moema")
    assert (code, "is of 'moema'" in told) == (2, True)
    assert nothing_runs(tmp_path)


def test_no_kit(coordinator: Run, tmp_path: Path) -> None:
    code, _, told = coordinator("start", "--kit", tmp_path)
    assert (code, "P201" in told) == (2, True)


def test_a_process_of_another_name(coordinator: Run, kit: Path) -> None:
    code, _, told = coordinator("start", "worker", "--kit", kit)
    assert (code, "no process 'worker'" in told) == (2, True)


def test_stopping_where_nothing_runs_says_so(coordinator: Run) -> None:
    code, told, _ = coordinator("shutdown")
    assert (code, told) == (0, "nothing ran\n")


def test_status_before_the_first_run_says_how_the_processes_stand(
    coordinator: Run, kit: Path, tmp_path: Path
) -> None:
    code, told, said = coordinator("status")
    assert (code, told, "C301" in said) == (3, "", True)
    (tmp_path / "store" / "services").mkdir(parents=True)
    keep_kit(tmp_path / "store" / "services", kit)
    code, told, said = coordinator("status")
    assert told.splitlines()[0] == "processes: superlink DOES NOT RUN, front DOES NOT RUN"
    assert told.splitlines()[1].startswith("certificate: until ")
    assert (code, "C301" in said) == (3, True)
    code, told, _ = coordinator("status", "--json")
    assert (code, told) == (3, "")
