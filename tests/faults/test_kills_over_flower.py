"""kill -9 of each process at each point of a round, over real processes: one run, twenty kills, the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fault_deployment import FRONT, NGINX, SUPERLINK, Deployment
from fault_record import Recorder

from shared_model.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]

WHO = ("gateway", "worker", "proxy", "front", "ServerApp", "SuperLink")
WHERE = {"receive": "moema", "train": "moema", "send": "moema", "aggregate": "coordinator"}
WORDS = {
    "receive": "a site receives the model",
    "train": "a site trains",
    "send": "a site sends its update",
    "aggregate": "the coordinator aggregates",
}
KILLS = [(who, where) for who in WHO for where in WHERE if NGINX or who not in ("proxy", "front")]
ROUNDS = 4 * len(KILLS)  # some go by between two kills
LATE = 400.0  # seconds, within which a round must have been completed


def killed(who: str, where: str) -> str:
    """The event, as docs/faults.md has it."""
    return f"{who} killed while {WORDS[where]}"


@pytest.fixture(scope="module")
def run(federation: Deployment, small_config: Callable[..., Config]) -> str:
    limits = ("federation.quorum=3", "federation.grace=600", "federation.silence=1200")
    config = small_config(
        f"federation.rounds={ROUNDS}", *limits, "training.early_stopping=0", "exchange.uplink=fp32"
    )
    federation.launch(config, "killed")
    return "killed"


@pytest.mark.parametrize(("who", "where"), KILLS)
def test_a_round_is_completed_whoever_is_killed(
    who: str, where: str, federation: Deployment, run: str, recorder: Recorder
) -> None:
    federation.complete(run, 1)
    with federation.held(WHERE[where], where):
        fault = federation.fault(run)
        _kill(federation, who)
    said = _restart(federation, who, run)
    lost = fault.complete - federation.row(run).complete
    took = federation.recovered(run, fault, LATE)
    assert lost <= 0
    recorder("kill", killed(who, where), said, max(0, lost), took)


def _kill(federation: Deployment, who: str) -> None:
    if who == "ServerApp":
        federation.kill_server_app()
    else:
        federation.kill({"SuperLink": SUPERLINK, "front": FRONT}.get(who, f"moema.{who}"))


def _restart(federation: Deployment, who: str, run: str) -> str:
    """What a service manager does at once, and what an operator has to."""
    if who == "ServerApp":
        assert federation.ended(run).state == "interrupted"
        federation.resume(run)
        return "status says interrupted (3); resumed by the operator"
    name = {"SuperLink": SUPERLINK, "front": FRONT}.get(who, f"moema.{who}")
    federation.start(name)
    if who != "SuperLink":
        return "started again; the run goes on by itself"
    state = federation.ended(run, 120).state
    federation.resume(run)
    return f"started again; status says {state} (3); resumed by the operator"


def test_the_run_ends_with_the_weights_of_one_that_nobody_disturbed(
    federation: Deployment, run: str, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    row = federation.ended(run)
    assert row.state == "finished", federation.everything(run)
    found = federation.store.open(run).load_weights("last")
    federation.launch(federation.store.config(run), "undisturbed")
    assert federation.ended("undisturbed").state == "finished"
    expected = federation.store.open("undisturbed").load_weights("last")
    assert all(found[name].tobytes() == array.tobytes() for name, array in expected.items())
