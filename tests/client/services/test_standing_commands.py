"""What is wrong with a site is printed with a number and a fix, and decides the exit code."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standing_site import FRONT

from client.approval import status as looking
from client.approval.store import Approvals
from client.approval.trusted import trusted_of_kit
from client.services.services import NAMES, places, services_of
from client.site.config import load_site
from client.site.opening import open_site


def test_status_prints_each_problem_with_its_fix_and_exits_with_3(
    operator: Callable[..., Any], site: Path
) -> None:
    services_of(load_site(site / "site.toml")).stop(["proxy"])
    code, told, _ = operator("status")
    assert code == looking.BROKEN
    for words in (
        "PROBLEM P307 this site's worker cannot be reached",
        "PROBLEM P306 the proxy does not run",
        "PROBLEM P401 the coordinator cannot be reached",
        f"where: {site / 's'}",
        "fix: fedfundus-site start",
    ):
        assert words in told
    code, told, _ = operator("status", "--json")
    document = json.loads(told)
    assert (code, [problem["number"] for problem in document["problems"]]) == (3, ["P307", "P306", "P401"])
    assert all(problem["fix"] for problem in document["problems"])


def test_a_site_that_has_left_says_so_and_nothing_is_to_be_mended(
    operator: Callable[..., Any], site: Path
) -> None:
    config, state = open_site(site / "site.toml")
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    assert operator("leave", "--yes")[0] == 0
    assert places(config) is None
    code, told, _ = operator("status", "--json")
    document = json.loads(told)
    (problem,) = document["problems"]
    assert (code, problem["number"], problem["fix"].startswith("nothing")) == (3, "P307", True)
    assert document["left"].startswith(f"{datetime.now(UTC):%Y-%m-}")
    assert "left the federation on" in operator("status")[1]
    Approvals(state).trust(trusted_of_kit(site / "kit", "moema"))
    assert json.loads(operator("status", "--json")[1])["left"] == ""


def test_a_bundle_names_what_is_wrong_and_no_place(operator: Callable[..., Any], site: Path) -> None:
    assert operator("logs", "--bundle", site / "help.tar.gz")[0] == 0
    with tarfile.open(site / "help.tar.gz") as archive:
        file = archive.extractfile("fedfundus-site/status.json")
        assert file is not None
        text = file.read().decode()
    problems = json.loads(text)["problems"]
    assert [problem["number"] for problem in problems] == ["P307", "P401"]
    assert problems[0]["problem"] == "this site worker cannot be reached"
    assert "the coordinator cannot be reached; tried TCP to # port #" in problems[1]["problem"]
    for hidden in (str(site), "127.0.0.1", str(FRONT)):
        assert hidden not in text


def test_what_status_finds_decides_its_exit_code() -> None:
    package = "ab" * 32
    ready: dict[str, Any] = {
        "worker": {"problem": "", "package": package},
        "federation": {"name": "north"},
        "package": {"sha256": package, "approved": "2026-11-22"},
        "plans": [],
        "certificate": {"days_left": 28},
        "problems": [],
    }
    assert looking.exit_code(ready) == looking.READY
    assert looking.exit_code(ready | {"certificate": {"days_left": 27}}) == looking.WAITS
    assert looking.exit_code(ready | {"problems": [{"number": "P306"}]}) == looking.BROKEN


def test_another_kit_than_the_one_that_runs_is_refused_and_nothing_is_changed(
    operator: Callable[..., Any], site: Path, front: None
) -> None:
    shutil.copytree(site / "kit", site / "other")
    config = load_site(site / "site.toml")
    before = {name: services_of(config).running(name) for name in NAMES}
    code, _, told = operator("start", "gateway", "--kit", site / "other")
    assert (code, "P308 the gateway that runs was started with another kit" in told) == (3, True)
    assert "stop gateway first" in told
    services_of(config).stop(["gateway"])
    code, _, told = operator("start", "gateway", "--kit", site / "other")  # proxy and worker have the old one
    assert (code, "P308 the worker that runs" in told) == (3, True)
    assert services_of(config).running("gateway") is None
    assert {name: services_of(config).running(name) for name in NAMES} == before | {"gateway": None}
    kept = places(config)
    assert kept is not None
    assert kept.kit == site / "kit"
