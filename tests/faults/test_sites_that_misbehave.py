"""A real site that hangs, fails or lies: left out of its round with the reason, the others go on, nothing leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_deployment import Deployment
from fault_record import Recorder
from fault_runs import wait_until

from shared_model.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

REASONS = {  # what a site does -> what the coordinator's record says of it
    "hangs": "gave no answer in time",
    "raises": "error at the site (ValueError)",
    "refuses": "the photographs cannot be read",
    "sends NaN": "holds NaN or infinity",
    "sends wrong shapes": "shape",
    "sends negative counts": "counts -9 examples",
    "sends a 10^6x update": "passes the bound",
    "sends last round's update": "answers round",
}
RUN = "lies"


def misbehaves(kind: str) -> str:
    """The event, as docs/faults.md has it."""
    return f"a site {kind}"


@pytest.fixture(scope="module")
def run(federation: Deployment, small_config: Callable[..., Config]) -> str:
    limits = (
        "federation.quorum=2",
        "federation.grace=10",
        "federation.silence=900",
        "federation.suspend_after=0",
    )
    federation.launch(
        small_config("federation.rounds=2000", *limits, "training.early_stopping=0", "exchange.uplink=fp32"),
        RUN,
    )
    federation.complete(RUN, 1)
    return RUN


def lines(federation: Deployment, run: str, site: str) -> list[dict[str, Any]]:
    query = "SELECT round, kind, reason FROM quarantine WHERE run = ? AND site = ? ORDER BY at"
    return [dict(row) for row in federation.store.database.rows(query, run, site)]


def last_used(federation: Deployment, run: str, site: str) -> int:
    query = "SELECT MAX(round) AS last FROM participation WHERE run = ? AND site = ?"
    return int(federation.store.database.rows(query, run, site)[0]["last"] or 0)


@pytest.mark.parametrize("kind", list(REASONS))
def test_the_others_go_on_without_it(kind: str, federation: Deployment, run: str, recorder: Recorder) -> None:
    before, fault = len(lines(federation, run, "moema")), federation.fault(run)
    with federation.misbehaving("moema", kind):
        wait_until(
            lambda: len(lines(federation, run, "moema")) > before,
            "a line",
            300,
            lambda: federation.everything(run),
        )
        line = lines(federation, run, "moema")[before]
        federation.complete(run, line["round"], 300)
    took = federation.recovered(run, fault, 300, hit=line["round"])
    assert REASONS[kind] in line["reason"]
    # It is used again as soon as it behaves.
    wait_until(lambda: last_used(federation, run, "moema") > line["round"], "its return", 300)
    assert line["round"] not in used_rounds(federation, run)
    recorder(
        "site",
        misbehaves(kind),
        f"{line['kind']} with the reason '{line['reason']}'; used again later",
        0,
        took,
    )


def used_rounds(federation: Deployment, run: str) -> set[int]:
    query = "SELECT round FROM participation WHERE run = ? AND site = 'moema'"
    return {row["round"] for row in federation.store.database.rows(query, run)}


def test_nothing_of_what_it_said_of_a_patient_is_kept(federation: Deployment, run: str) -> None:
    """It raised an error that names one, and one that has a path."""
    places = [
        *federation.store.folder.rglob("*"),
        *federation.folder.glob("super*"),
        federation.folder / "front.log",
    ]
    for path in places:
        if path.is_file():
            content = path.read_bytes()
            assert b"Maria" not in content
            assert b"maria.jpg" not in content


def test_the_run_ends_where_it_is_asked_to(federation: Deployment, run: str) -> None:
    assert federation.coordinator("stop", run).returncode == 0
    assert federation.ended(run).state == "stopped"
    assert federation.coordinator("status", run).returncode == 4
