"""The service files and the compose file of a site's kit: checked here, not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kits.contents import SITE_SERVICES
from deploy.provision import Workplace

UNITS = tuple(name for name in SITE_SERVICES if name.endswith(".service"))
analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine"
)


@pytest.fixture
def services(untouched: Workplace) -> Path:
    return untouched.out / "moema" / "services"


@pytest.fixture
def units(services: Path, tmp_path: Path) -> Path:
    """As they are, but that what they start is on this machine."""
    for name in UNITS:
        text = (services / name).read_text()
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
@pytest.mark.parametrize(("unit", "worst"), [("worker", 15), ("gateway", 20), ("proxy", 30)])
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
