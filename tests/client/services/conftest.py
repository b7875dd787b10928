"""A started site, its coordinator's front and its operator's command, for the tests of how a site stands."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed import make_federation
from standing_site import FEDERATION, FRONT, SYSTEMCTL, started

from client.cli import main
from deploy.services.nginx import nginx, proxy_service
from deploy.services.services import Services
from shared_model.errors import FedFundusError


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


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for systemctl: both units are active."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(proxy="active", loaded="loaded", gateway="active"))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


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
