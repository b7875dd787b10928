"""The site's audit log: only added to, found out where it was altered, and shown by a command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from client.approval.store import Approvals
from client.audit.log import AuditLog
from client.cli import main
from client.site.config import load_site
from client.site.state import SiteState
from client.vault import Journal
from shared_model.audit_line import line_digest
from shared_model.errors import DataError

ROOT = Path(__file__).parents[3]


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


def test_lines_cost_the_same_however_long_the_log_is(
    state: SiteState, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(state)
    log.append("answered", question="join", id="aa")
    read: list[int] = []
    records = Journal._next
    monkeypatch.setattr(Journal, "_next", lambda *given: read.append(1) or records(*given))
    for number in range(50):
        log.append("answered", question="train", round=number, id="aa")
    assert read == []
    monkeypatch.undo()
    assert [line["seq"] for line in log.lines()] == list(range(1, 52))


def test_what_another_process_wrote_between_is_checked_and_followed(state: SiteState) -> None:
    first, second = AuditLog(state), AuditLog(state)
    for number in range(5):
        first.append("answered", question="train", round=number, id="aa")
        second.append("plan approved", plan=f"{number}")
    assert [line["seq"] for line in first.lines()] == list(range(1, 11))


ADDING = """
import sys
from pathlib import Path
from client.audit.log import AuditLog
from client.site.config import load_site
from client.site.state import SiteState
config = load_site(Path(sys.argv[1]))
log = AuditLog(SiteState.open(config.state, config.key))
for number in range(20):
    log.append("answered", question="train", round=number, id=sys.argv[2])
"""


def test_two_processes_add_at_once_and_the_chain_holds(state: SiteState, tmp_path: Path) -> None:
    begun = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path / "site.toml"), name], cwd=ROOT)
        for name in ("aa", "bb")
    ]
    assert [process.wait(120) for process in begun] == [0, 0]
    lines = list(AuditLog(state).lines())
    assert [line["seq"] for line in lines] == list(range(1, 41))
    for name in ("aa", "bb"):
        assert [line["detail"]["round"] for line in lines if line["detail"]["id"] == name] == list(range(20))


@pytest.mark.parametrize("how", ["byte", "cut", "gone", "begun anew"])
def test_an_open_log_notices_what_was_done_to_it_since(how: str, state: SiteState) -> None:
    log = AuditLog(state)
    for number in range(3):
        log.append("answered", question="train", round=number, id="aa")
    path, lines = state.path("audit"), [json.dumps(line).encode() for line in log.lines()]
    if how == "byte":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "cut":
        state.journal("audit").rewrite(lines[:2])
    else:
        path.unlink()
        if how == "begun anew":
            AuditLog(state).append("answered", question="join", id="aa")
    with pytest.raises(DataError, match="altered"):
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
