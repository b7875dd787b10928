"""What keeps a site from answering has a number, a fix and an exit code; what its processes say is not guessed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deployed import make_federation
from standing_site import FEDERATION, FRONT, SYSTEMCTL, stands

from client.services.services import NAMES, places, services_of
from client.site.config import load_site


def test_with_all_three_and_a_coordinator_nothing_is_wrong(site: Path, front: None) -> None:
    found = stands(site)
    assert found["problems"] == []
    assert found["coordinator"]["reached"] == f"127.0.0.1:{FRONT}"


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_has_ended_is_a_problem_with_its_last_words(
    site: Path, front: None, name: str
) -> None:
    process = services_of(load_site(site / "site.toml")).running(name)
    assert process is not None
    process.kill()
    process.wait()
    problem, *others = stands(site)["problems"]
    assert (problem["number"], others) == ("P306", [])
    assert f"the {name} does not run" in problem["problem"]
    assert ("connected as node 7" if name == "gateway" else f"{name} here") in problem["where"]
    assert f"fedfundus-site logs {name}" in problem["fix"]


def test_an_expired_certificate_is_a_problem(site: Path, tmp_path: Path) -> None:
    ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    shutil.rmtree(site / "kit")
    shutil.copytree(make_federation(tmp_path / "before", FEDERATION, ago) / "moema", site / "kit")
    (problem,) = stands(site)["problems"]
    assert (problem["number"], "expired" in problem["problem"], "renewal" in problem["fix"]) == (
        "P204",
        True,
        True,
    )


def test_an_unreachable_coordinator_is_a_problem_with_what_was_tried(site: Path) -> None:
    found = stands(site)
    (problem,) = found["problems"]
    assert problem["number"] == "P401"
    assert f"tried TCP to 127.0.0.1 port {FRONT}: connection refused" in problem["problem"]
    assert problem["where"] == f"127.0.0.1:{FRONT}"
    assert found["coordinator"]["problem"].startswith("P401")


@pytest.mark.parametrize(
    ("proxy", "loaded", "gateway", "ended"),
    [
        ("active", "loaded", "active", []),
        ("active", "loaded", "failed", ["gateway"]),
        ("activating", "loaded", "inactive", ["proxy", "gateway"]),  # again and again, with pauses between
        ("active", "not-found", "inactive", []),
    ],
)
def test_where_a_service_manager_has_them_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, loaded: str, gateway: str, ended: list[str]
) -> None:
    """A stand-in for systemctl, which answers here only where systemd runs."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(proxy=proxy, loaded=loaded, gateway=gateway))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    problems = stands(tmp_path)["problems"]
    assert [problem["where"] for problem in problems] == [f"fedfundus-{name}.service" for name in ended]
    assert all(problem["number"] == "P306" and "journalctl -u" in problem["fix"] for problem in problems)


def test_after_a_full_stop_the_service_manager_is_asked_and_the_next_start_knows_its_kit(
    site: Path, manager: None
) -> None:
    config = load_site(site / "site.toml")
    services_of(config).stop(["gateway"])
    assert "processes" in stands(site)
    services_of(config).stop(NAMES)
    assert stands(site) == {"problems": []}
    kept = places(config)
    assert kept is not None
    assert kept.kit == site / "kit"
