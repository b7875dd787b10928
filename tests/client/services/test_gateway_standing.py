"""Whether a gateway is connected follows from its signs and its last words, and is not guessed."""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path

import pytest
from standing_site import CONNECTED, REFUSED, numbers, said, says, signs, stands

from client.gateway import heartbeat
from client.services import managed
from client.services.connected import await_connected
from client.services.services import services_of
from client.site.config import load_site
from deploy.errors import Code, DeployError


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
