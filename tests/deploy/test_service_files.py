"""The service files of both kinds of kit and the compose file of a site's: checked here, not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from client.gateway.heartbeat import UNIT, VARIABLE
from deploy.kits.contents import COORDINATOR_SERVICES, SITE_SERVICES
from deploy.provision import Workplace
from deploy.services.services import Services
from server.services.services import _superlink
from shared_model.offline import SETTINGS

UNITS = (*(name for name in SITE_SERVICES if name.endswith(".service")), *COORDINATOR_SERVICES)
analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine"
)


@pytest.fixture
def services(untouched: Workplace) -> Path:
    return untouched.out / "moema" / "services"


@pytest.fixture
def coordinators(untouched: Workplace) -> Path:
    return untouched.out / "coordinator" / "services"


@pytest.fixture
def units(services: Path, coordinators: Path, tmp_path: Path) -> Path:
    """As they are, but that what they start is on this machine."""
    for name in UNITS:
        text = ((coordinators if name in COORDINATOR_SERVICES else services) / name).read_text()
        (tmp_path / name).write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", text, flags=re.MULTILINE))
    return tmp_path


def told(*command: str, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@analyze
def test_systemd_takes_every_unit_and_has_nothing_to_say(units: Path) -> None:
    code, said = told("systemd-analyze", "verify", "--man=no", *(f"./{name}" for name in UNITS), cwd=units)
    assert (code, said.strip()) == (0, "")


@analyze
@pytest.mark.parametrize(
    ("unit", "worst"), [("worker", 15), ("gateway", 20), ("proxy", 30), ("superlink", 20), ("front", 30)]
)
def test_systemd_finds_little_that_a_unit_could_do_beside_its_work(
    units: Path, unit: str, worst: int
) -> None:
    code, said = told(
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={worst}",
        f"./fedfundus-{unit}.service",
        cwd=units,
    )
    assert code == 0, said


def setting(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, flags=re.MULTILINE)


def test_the_worker_has_no_network_and_the_others_no_data(services: Path) -> None:
    worker, gateway, proxy = (
        (services / f"fedfundus-{name}.service").read_text() for name in ("worker", "gateway", "proxy")
    )
    assert setting(worker, "PrivateNetwork") == ["yes"]
    assert setting(worker, "RestrictAddressFamilies") == ["AF_UNIX"]
    assert setting(worker, "LimitCORE") == ["0"]
    assert "/srv/fundus" in setting(worker, "ReadOnlyPaths")[0]
    assert "/etc/fedfundus/kit" in setting(worker, "InaccessiblePaths")[0]
    for other in (gateway, proxy):
        for hidden in ("/srv/fundus", "/var/lib/fedfundus-worker", "/etc/fedfundus/site.toml"):
            assert f"-{hidden}" in setting(other, "InaccessiblePaths")[0]
        assert setting(other, "User") != setting(worker, "User")
    assert setting(gateway, "IPAddressAllow") == ["localhost"]


def test_the_gateway_may_write_its_sign_of_life_where_status_looks_for_it(services: Path) -> None:
    gateway = (services / "fedfundus-gateway.service").read_text()
    assert setting(gateway, "Environment") == [f"{VARIABLE}={UNIT}"]
    assert setting(gateway, "RuntimeDirectory") == [UNIT.parent.name]
    assert setting(gateway, "RuntimeDirectoryMode") == ["0710"]  # its group may look, and not write


def test_the_compose_file_says_the_same(services: Path) -> None:
    found: dict[str, Any] = yaml.safe_load((services / "compose.yaml").read_text())
    worker, gateway, proxy = (found["services"][name] for name in ("worker", "gateway", "proxy"))
    assert worker["network_mode"] == "none"
    assert next(volume for volume in worker["volumes"] if "FEDFUNDUS_DATA" in volume).endswith(":/data:ro")
    for service in (worker, gateway, proxy):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service
    for service in (gateway, proxy):
        assert not any("DATA" in volume or "STATE" in volume for volume in service["volumes"])
        assert service["user"] != worker["user"]
    assert not any("KIT" in volume for volume in worker["volumes"])


def test_the_coordinators_kit_has_no_files_of_a_site(untouched: Workplace) -> None:
    assert not (untouched.out / "coordinator" / "services" / "fedfundus-worker.service").exists()
    assert sorted(path.name for path in (untouched.out / "coordinator" / "services").iterdir()) == sorted(
        COORDINATOR_SERVICES
    )


def test_what_meets_the_network_is_not_root_and_sees_nothing_of_the_runs(coordinators: Path) -> None:
    superlink, front = (
        (coordinators / f"fedfundus-{name}.service").read_text() for name in ("superlink", "front")
    )
    for unit in (superlink, front):
        assert setting(unit, "User") == ["fedfundus-coordinator"]
        assert setting(unit, "CapabilityBoundingSet") == [""]
        assert setting(unit, "NoNewPrivileges") == ["yes"]
    assert setting(front, "InaccessiblePaths") == ["-/var/lib/fedfundus-coordinator"]
    assert setting(superlink, "IPAddressAllow") == ["localhost"]
    assert setting(front, "ExecReload")[0].endswith(" -t")


def test_the_service_file_starts_superlink_as_start_does(untouched: Workplace, coordinators: Path) -> None:
    """But for the folders: the same options, and nothing that calls home."""
    unit = (coordinators / "fedfundus-superlink.service").read_text()
    place = untouched.out / "coordinator"
    service = _superlink(place, Services(Path("/var/lib/fedfundus-coordinator/services")))
    ours = [str(word).replace(str(place), "/etc/fedfundus/kit") for word in service.command[1:]]
    assert setting(unit, "ExecStart")[0].split()[1:] == ours
    kept = set(setting(unit, "Environment"))
    assert {f"{name}={value}" for name, value in SETTINGS.items()} <= kept
    assert f"FLWR_HOME={service.environment['FLWR_HOME']}" in kept
