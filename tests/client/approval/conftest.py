"""A site with a kit, a signed plan and its operator's command: what the tests of approvals share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import Site, make_federation, plan_of, signed_by_kit

from client.approval import approve as approving
from client.approval import status as looking
from client.cli import main
from shared_model.config import Config
from shared_model.run_plan import RunPlan, SignedPlan

PACKAGE = "ab" * 32
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture(scope="module")
def plan(small_config: Callable[..., Config]) -> RunPlan:
    return plan_of(small_config())


@pytest.fixture(scope="module")
def signed(plan: RunPlan, kits: Path) -> SignedPlan:
    return signed_by_kit(plan, kits / "coordinator")


@pytest.fixture
def site(tmp_path: Path, kits: Path) -> Site:
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "paulista"\n[data]\nfolder = "data"\n')
    return Site(tmp_path, kits / "paulista", tmp_path / "none.sock")


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another engineer may be editing the package while this runs."""
    for module in (approving, looking):
        monkeypatch.setattr(module, "package_sha256", lambda: PACKAGE)
    return


@pytest.fixture
def operator(site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(command: str, *arguments: object) -> tuple[int, str, str]:
        given = ["fedfundus-site", command, *map(str, arguments), "--config", str(site.file)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
