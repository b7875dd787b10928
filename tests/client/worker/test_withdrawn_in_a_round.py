"""A worker that trains, and an operator who looks on and takes the plan back meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import ROOT, Site, make_site, plan_of, signed_by_kit

from client.audit.log import AuditLog
from client.gateway.worker_client import WorkerClient, WorkerProblem
from client.worker.resident import resident_model
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.run_plan import PLAN, SIGNED_PLAN, SignedPlan
from shared_model.statistics import pool

STEPS = "training.local_steps=150"  # long enough for a few commands


@pytest.fixture
def plan(kits: Path, small_config: Callable[..., Config]) -> SignedPlan:
    return signed_by_kit(plan_of(small_config(STEPS)), kits / "coordinator")


@pytest.fixture
def site(tmp_path: Path, data_folder: Path, kits: Path, plan: SignedPlan) -> Iterator[Site]:
    site = make_site(tmp_path, data_folder, kits / "paulista")
    site.trust()
    site.approvals().approve_plan(plan)
    site.start()
    yield site
    site.stop()


def operator(site: Site, *given: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "client", *given, "--config", str(site.file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_plan_that_is_withdrawn_while_it_trains_is_answered_no_more_from_the_next_question_on(
    site: Site, plan: SignedPlan, small_config: Callable[..., Config]
) -> None:
    with WorkerClient(site.socket) as client:
        client.ask("join", Payload(fields={SIGNED_PLAN: plan.to_field()}))
        told = client.ask("statistics", Payload(fields={PLAN: plan.sha256})).fields["statistics"]
        fields = {"round": 1, "learning_rate": 1e-3, "standardisation": pool([told]).to_dict()}
        arrays = shared_tensors(resident_model(small_config(STEPS)).objective)
        request, answers = Payload(arrays, fields | {PLAN: plan.sha256}), list[Payload]()
        asker = threading.Thread(target=lambda: answers.append(client.ask("train", request)))
        asker.start()
        while client.status().busy != "train":
            time.sleep(0.01)
        code, shown = operator(site, "status", "--json", "--socket", str(site.socket))
        document = json.loads(shown)
        assert (document["worker"]["busy"], document["plans"][0]["at_work"]) == ("train", True)
        code, shown = operator(site, "approve", "--withdraw", plan.sha256[:16])
        assert (code, shown) == (0, f"withdrawn: {plan.sha256}\n")
        assert client.status().busy == "train"  # or nothing is shown here
        asker.join()
        assert answers[0].fields["round"] == 1  # what was asked before is answered
        with pytest.raises(WorkerProblem, match="has not approved the run plan"):
            client.ask("train", Payload(arrays, request.fields | {"round": 2}))
    events = [line["event"] for line in AuditLog(site.opened()[1]).lines()]
    assert events[-3:] == ["plan withdrawn", "answered", "refused"]
