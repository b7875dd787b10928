"""The site's audit log: only added to, found out where it was altered, and shown by a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from client.approval.store import Approvals
from client.audit.log import AuditLog
from client.cli import main
from client.site.config import load_site
from client.site.state import SiteState
from shared_model.audit_line import line_digest
from shared_model.errors import DataError


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "paulista"\n[data]\nfolder = "data"\n')
    config = load_site(tmp_path / "site.toml")
    return SiteState.open(config.state, config.key)


def test_each_line_holds_the_digest_of_the_one_before(state: SiteState) -> None:
    log = AuditLog(state)
    log.append("answered", question="join", id="aa")
    log.append("answered", question="train", round=1, id="bb")
    first, second = log.lines()
    assert (first["seq"], first["previous"], second["previous"]) == (1, "", first["digest"])
    assert second["digest"] == line_digest(
        {name: value for name, value in second.items() if name != "digest"}
    )


def test_a_question_refused_again_and_again_is_one_line(state: SiteState) -> None:
    log = AuditLog(state)
    for _ in range(3):
        log.append("refused", question="train", why="not joined")
    log.append("answered", question="join", id="aa")
    log.append("refused", question="train", why="not joined")
    assert [line["event"] for line in log.lines()] == ["refused", "answered", "refused"]


def test_a_line_that_was_changed_or_taken_out_is_found(state: SiteState) -> None:
    log = AuditLog(state)
    for number in range(4):
        log.append("answered", question="train", round=number, id="aa")
    lines = [json.dumps(line).encode() for line in log.lines()]
    journal = state.journal("audit")
    journal.rewrite([*lines[:1], *lines[2:]])  # by somebody who holds the site's key
    with pytest.raises(DataError, match="altered at line 2"):
        list(log.lines())
    journal.rewrite([lines[0].replace(b"train", b"join"), *lines[1:]])
    with pytest.raises(DataError, match="altered at line 1"):
        log.append("answered", question="train", round=9, id="bb")


def test_what_is_agreed_to_and_taken_back_is_told_and_lies_sealed(
    state: SiteState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    approvals = Approvals(state)
    approvals.approve_package("ab" * 32)
    approvals.withdraw("ab" * 32)
    assert b"package approved" not in state.path("audit").read_bytes()
    run = commands(monkeypatch, capfd)
    code, told = run("audit", "--config", str(tmp_path / "site.toml"))
    assert code == 0
    assert ["package approved" in told, "package withdrawn" in told] == [True, True]
    assert told.splitlines()[-1].startswith("2 lines, the last one's digest ")
    code, told = run("audit", "--json", "--config", str(tmp_path / "site.toml"))
    assert [json.loads(line)["event"] for line in told.splitlines()] == [
        "package approved",
        "package withdrawn",
    ]


def commands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["fedfundus-site", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capfd.readouterr().out

    return run
