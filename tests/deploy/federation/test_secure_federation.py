"""Secure aggregation over all that a deployed federation has: SuperLink, fronts, gateways, workers, real kits."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

import pytest

from deploy.rehearsal.files import Plan
from deploy.rehearsal.rehearsal import Rehearsal
from deploy.services.nginx import nginx
from shared_model.errors import FedFundusError

try:
    nginx()
    MISSING = ""
except FedFundusError:
    MISSING = "nginx is not installed: secure aggregation over a deployed federation was NOT tested"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.timeout(1800),
]

RUN = "secure"
SMALL = ("training.local_steps=2", "training.batch_size=8", "evaluation.batch_size=16")


def test_three_sites_train_behind_their_gateways_and_the_record_holds_their_sum_alone() -> None:
    folder = Path(tempfile.mkdtemp(prefix="ff-"))  # short: a socket's path lies in it
    plan = Plan(patients=24, rounds=2, overrides=(*SMALL, "secure_aggregation.enabled=true"))
    try:
        with Rehearsal(folder, plan, seconds=1700.0) as rehearsal:
            rehearsal.provision()
            rehearsal.draw_data()
            rehearsal.start()
            rehearsal.approve_federation()
            rehearsal.launch(RUN)
            rehearsal.approve_plan(RUN)
            status = rehearsal.wait_for_end(RUN)
            model = rehearsal.export(RUN)
        assert status["state"] == "finished", status
        assert {site["site"]: site["rounds"] for site in status["sites"]} == dict.fromkeys(plan.sites, 2)
        assert status["validation"]["loss"] > 0
        said = json.loads((model / "privacy.json").read_text())["secure_aggregation"]
        assert said["enabled"] is True
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
