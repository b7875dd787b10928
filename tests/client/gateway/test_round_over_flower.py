"""A whole run over real processes: SuperLink, ServerApp, gateway and worker, with TLS and node keys on loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import (
    PATIENCE,
    ROOT,
    Site,
    make_federation,
    make_site,
    plan_of,
    signed_by_kit,
    wait_for,
    write_plan,
)
from superlink import BIN, SuperLink, free_port

from server.planned_sites import PLAN_FILE
from server.store import RunFolder
from shared_model.config import Config
from shared_model.config.load import to_toml

pytestmark = pytest.mark.slow

PLANTED = "from flwr.clientapp import ClientApp\nopen({marker!r}, 'w').write('ran')\napp = ClientApp()\n"


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory, kits: Path) -> Iterator[SuperLink]:
    found = SuperLink(tmp_path_factory.mktemp("superlink"), kits / "coordinator", free_port())
    found.start()
    found.register(kits / "paulista")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, data_folder: Path, kits: Path) -> Iterator[Site]:
    site = make_site(tmp_path_factory.mktemp("paulista"), data_folder, kits / "paulista")
    site.trust()
    site.start()
    yield site
    site.stop()


@pytest.fixture(params=["loop", "supernode"])
def gateway(request: pytest.FixtureRequest, site: Site, superlink: SuperLink) -> Iterator[Path]:
    """The gateway's log, once its site is online."""
    command = [
        sys.executable,
        "-m",
        "client",
        "gateway",
        "--kit",
        str(site.kit),
        "--socket",
        str(site.socket),
    ]
    command += ["--superlink", superlink.address, "--root-certificates", str(superlink.certificate)]
    command += ["--supernode"] if request.param == "supernode" else []
    log = site.folder / f"gateway-{request.param}.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        )
    try:
        connected = re.compile("connected as node|SuperNode ID")
        wait_for(lambda: connected.search(log.read_text()), "the gateway", log.read_text)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def run_folder(
    folder: Path, config: Config, kits: Path, site: Site, run: str, *, approved: bool
) -> RunFolder:
    signed = signed_by_kit(plan_of(config, run), kits / "coordinator")
    store = RunFolder(folder)
    (folder / "config.toml").write_text(to_toml(config))
    write_plan(signed, folder / PLAN_FILE)
    if approved:
        site.approvals().approve_plan(signed)
    return store


def test_a_site_trains_behind_its_gateway_and_delivered_code_never_runs(
    gateway: Path,
    site: Site,
    superlink: SuperLink,
    kits: Path,
    small_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    marker = tmp_path / "delivered-code-ran"
    store = run_folder(tmp_path / "run", small_config(), kits, site, gateway.stem, approved=True)
    superlink.run(store.path, "delivered:app", {"delivered.py": PLANTED.format(marker=str(marker))})
    assert [row["round"] for row in store.history()] == [0, 1, 2], (
        superlink.log + gateway.read_text() + site.log
    )
    assert all(set(row["sites"]) == {"paulista"} for row in store.history()[1:])
    assert not marker.exists()


def test_a_plan_that_nobody_approved_is_refused_and_waits_for_the_operator(
    gateway: Path,
    site: Site,
    superlink: SuperLink,
    kits: Path,
    small_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    config = small_config("training.local_steps=500")
    store = run_folder(tmp_path / "run", config, kits, site, f"{gateway.stem}-2", approved=False)
    superlink.run(store.path)
    assert store.history() == []
    assert "has not approved the run plan" in site.log  # the coordinator hears the same sentence
    waiting = [kept for kept in site.approvals().plans().values() if not kept.approved]
    assert any(f"{gateway.stem}-2" in kept.signed.text for kept in waiting)
