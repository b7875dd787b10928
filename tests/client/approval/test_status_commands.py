"""`fedfundus-site status` as an operator uses it, without a worker."""

from __future__ import annotations

import json

import pytest
from deployed import Site

from client.approval import status as looking
from shared_model.run_plan import SignedPlan
from tests.client.approval.conftest import PACKAGE, Run


def test_status_says_what_waits_and_that_no_worker_serves(
    operator: Run, site: Site, signed: SignedPlan
) -> None:
    site.trust()
    site.approvals().propose(signed)
    code, told, _ = operator("status", "--socket", site.socket, "--json")
    document = json.loads(told)
    assert code == looking.BROKEN
    assert document["worker"]["problem"] == "this site's worker cannot be reached"
    assert document["plans"] == [
        {
            "sha256": signed.sha256,
            "run": "run-1",
            "approved": "",
            "withdrawn": "",
            "joined_last": False,
            "at_work": False,
            "came": document["plans"][0]["came"],
        }
    ]
    code, told, _ = operator("status", "--socket", site.socket)
    assert f"plan {signed.sha256[:16]}, run run-1: WAITS for approval" in told


def test_a_plan_is_at_work_only_while_a_question_of_it_is_answered(
    operator: Run, site: Site, signed: SignedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.trust()
    approvals = site.approvals()
    approvals.approve_plan(signed)
    approvals.set_at_work(signed.sha256)
    for busy, shown in (("", ", joined last"), ("join", ", joined last"), ("train", ", at work")):
        worker = {"problem": "", "package": PACKAGE, "busy": busy, "run": "run-1"}
        monkeypatch.setattr(looking, "_worker", lambda socket, worker=worker: worker)
        _, told, _ = operator("status", "--socket", site.socket)
        line = next(line for line in told.splitlines() if line.startswith("plan "))
        assert line.endswith(shown)


def test_what_status_finds_decides_its_exit_code() -> None:
    ready = {
        "worker": {"problem": "", "package": PACKAGE},
        "federation": {"name": "north"},
        "package": {"sha256": PACKAGE, "approved": "2026-11-22"},
        "plans": [{"approved": "2026-11-22"}],
    }
    assert looking.exit_code(ready) == looking.READY
    assert (
        looking.exit_code(ready | {"plans": [{"approved": "", "withdrawn": "2026-11-22"}]}) == looking.READY
    )
    for waits in (
        {"federation": None},
        {"package": {"sha256": PACKAGE, "approved": ""}},
        {"plans": [{"approved": ""}]},
        {"plans": [{"approved": "", "withdrawn": ""}]},
        {"worker": {"problem": "", "package": "cd" * 32}},
    ):
        assert looking.exit_code(ready | waits) == looking.WAITS
