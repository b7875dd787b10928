"""What the gateway does with a kit that it cannot use: one message, before anything is started."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deployed import make_federation

from client.cli import main
from client.gateway import contract
from client.gateway.kit import read_gateway_kit

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture
def kit(kits: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kits / "paulista", tmp_path / "paulista"))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    def run(kit: Path, *more: str) -> tuple[int, str]:
        given = [
            "fedfundus-site",
            "gateway",
            "--kit",
            str(kit),
            "--socket",
            str(tmp_path / "none.sock"),
            *more,
        ]
        monkeypatch.setattr(sys, "argv", given)
        for name in (
            "FLWR_HOME",
            "FEDFUNDUS_WORKER_SOCKET",
            "FEDFUNDUS_GATEWAY_KIT",
        ):  # which the command sets
            monkeypatch.setenv(name, "")
        with pytest.raises(SystemExit) as ended:
            main()
        told = capfd.readouterr().err
        assert "Traceback" not in told
        return int(ended.value.code or 0), told

    return run


def test_the_kit_names_proxy_and_keys(kit: Path) -> None:
    found = read_gateway_kit(kit)
    assert (found.site, found.superlink) == ("paulista", "127.0.0.1:9443")
    assert found.key().curve.name == "secp384r1"
    assert read_gateway_kit(kit, "127.0.0.1:8000").superlink == "127.0.0.1:8000"


def test_the_coordinators_kit_is_refused(gateway: Run, kits: Path) -> None:
    code, told = gateway(kits / "coordinator")
    assert (code, "this is the coordinator's kit" in told) == (2, True)


def test_a_folder_that_is_no_kit_is_refused(gateway: Run, tmp_path: Path) -> None:
    code, told = gateway(tmp_path)
    assert (code, "this is no kit" in told) == (2, True)


@pytest.mark.parametrize("name", ["node.key", "loopback.key", "loopback.pem"])
def test_a_missing_key_is_named(name: str, gateway: Run, kit: Path) -> None:
    (kit / "keys" / name).unlink()
    code, told = gateway(kit)
    assert (code, "a file of the kit is missing" in told, name in told) == (2, True, True)


def test_a_node_key_that_others_may_read_or_that_is_none_is_refused(gateway: Run, kit: Path) -> None:
    (kit / "keys" / "node.key").chmod(0o640)
    code, told = gateway(kit)
    assert (code, "can be read by others" in told, "chmod 600" in told) == (2, True, True)
    (kit / "keys" / "node.key").chmod(0o600)
    (kit / "keys" / "node.key").write_text("no key")
    code, told = gateway(kit)
    assert (code, "no private key that can be read" in told) == (2, True)


def test_another_flower_runs_nothing_that_was_delivered(
    gateway: Run, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "version", lambda name: "1.42.0")
    code, told = gateway(kit)
    assert (code, "Flower 1.42.0 is installed, 1.41.0 is known" in told) == (3, True)
    assert "install flwr==1.41.0" in told
