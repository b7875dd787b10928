"""Where Flower's Fleet functions are not as the gateway's loop knows them, its SuperNode is used, and that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deployed import make_federation

from client.gateway import contract, process
from client.gateway.contract import Used


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways that a gateway has taken; neither is gone to its end."""
    found: list[str] = []

    def through(name: str) -> Any:
        return lambda *given: found.append(name)

    monkeypatch.setattr(process, "_through_loop", through("loop"))
    monkeypatch.setattr(process, "_through_supernode", through("supernode"))
    return found


def run(folder: Path) -> None:
    process.run_gateway(make_federation(folder) / "paulista", folder / "worker.sock")


def test_the_loop_is_taken_where_it_fits(taken: list[str], tmp_path: Path) -> None:
    run(tmp_path)
    assert taken == ["loop"]


def test_the_supernode_is_taken_where_it_does_not(
    taken: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = Used(
        "flwr.supernode.fleet_http_connection", "http_request_response", ("server_address", "proxy")
    )
    monkeypatch.setattr(contract, "LOOP", (changed,))
    run(tmp_path)
    assert taken == ["supernode"]
    said = capsys.readouterr().err
    assert "Flower's own SuperNode is used, which is slower between messages" in said
    assert "does not take proxy" in said
