"""Sites that do not come back, and disks that are full: what goes on, what waits, what the exit codes say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from fault_deployment import Deployment
from fault_disk import full, mounted, unmounted
from fault_record import Recorder
from fault_runs import wait_until

from shared_model.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

RUN = "lost"
SILENCE = 60


@pytest.fixture(scope="module")
def federation(
    deployments: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Its coordinator's store, and one site's state, have small disks of their own where that is allowed."""
    store = tmp_path_factory.mktemp("disk") / "store"
    mounted(store, 64)
    found = deployments(store_folder=store, small_disk="moema")
    yield found
    for folder in (store, found.state("moema")):
        unmounted(folder)


@pytest.fixture(scope="module")
def run(federation: Deployment, small_config: Callable[..., Config]) -> str:
    limits = ("federation.quorum=2", "federation.grace=10", f"federation.silence={SILENCE}")
    federation.launch(small_config("federation.rounds=2000", *limits, "training.early_stopping=0"), RUN)
    federation.complete(RUN, 2)
    return RUN


def test_a_full_disk_at_a_site_costs_its_rounds_alone(
    federation: Deployment, run: str, recorder: Recorder
) -> None:
    def last() -> int:
        query = "SELECT MAX(round) AS last FROM participation WHERE run = ? AND site = 'moema'"
        return int(federation.store.database.rows(query, run)[0]["last"] or 0)

    worker = psutil.Process(federation.processes["moema.worker"].pid)
    with full(federation.state("moema"), lambda: worker) as how:
        missed, fault = last() + 1, federation.fault(run)
        wait_until(lambda: federation.row(run).complete > last() + 1, "rounds without it", 300)
        took = federation.recovered(run, fault, 300)
    room = time.monotonic()
    wait_until(lambda: last() > missed, "its return", 300, lambda: federation.everything(run))
    reason = federation.store.database.rows(
        "SELECT reason FROM quarantine WHERE run = ? AND site = 'moema' ORDER BY at DESC LIMIT 1", run
    )[0]["reason"]
    again = time.monotonic() - room
    said = f"{how}; left out with the reason '{reason}'; used again {again:.0f} s after there was room"
    recorder("disk", "the disk of a site is full", said, 0, took)


def test_a_full_disk_at_the_coordinator_ends_the_run_truthfully(
    federation: Deployment, run: str, recorder: Recorder
) -> None:
    fault = federation.fault(run)
    with full(federation.store.folder, federation.server_app) as how:
        row = federation.ended(run, 300)
        status = federation.coordinator("status", run)
    assert row.state in ("failed", "interrupted")
    assert status.returncode == 3
    assert "Traceback" not in status.stderr
    assert row.complete >= fault.complete
    federation.resume(run)
    took = federation.recovered(run, fault, hit=row.complete + 1)
    said = f"{how}; status says {row.state} (3); resumed by the operator once there was room"
    recorder("disk", "the disk of the coordinator is full", said, 0, took)


def test_a_site_that_is_lost_for_good_is_not_waited_for(
    federation: Deployment, run: str, recorder: Recorder
) -> None:
    fault = federation.fault(run)
    lose(federation, "moema")
    took = federation.recovered(run, fault, 200)
    began = time.monotonic()
    federation.complete(run, federation.row(run).complete + 5, 200)
    each = (time.monotonic() - began) / 5
    said = f"two rounds waited for it (10 s grace), the next five took {each:.1f} s each without it"
    recorder("lost", "one site of three is lost for good, quorum 2", said, 0, took)


def test_two_of_three_lost_waits_then_says_so(federation: Deployment, run: str, recorder: Recorder) -> None:
    began = time.monotonic()
    lose(federation, "santos")
    row = federation.ended(run, 400)
    took = time.monotonic() - began
    status = federation.coordinator("status", run, "--json")
    assert (row.state, row.code, status.returncode) == ("failed", "C201", 3)
    assert took >= SILENCE
    assert "quorum is 2" in row.reason
    assert json.loads(status.stdout)["complete"] == row.complete > 0
    assert federation.coordinator("export", run, "--out", str(federation.folder / "no")).returncode == 3
    said = f"waited {took:.0f} s (silence {SILENCE} s), then failed with C201, exit code 3: {row.reason}"
    recorder("lost", "two sites of three are lost, quorum 2", said, 0, None)


def test_when_they_are_back_the_run_goes_on(federation: Deployment, run: str, recorder: Recorder) -> None:
    fault = federation.fault(run)  # of their return
    for process in [name for name in federation.all_names() if name.startswith(("moema.", "santos."))]:
        federation.start(process)
    federation.resume(run)
    took = federation.recovered(run, fault)
    recorder("lost", "both sites are back", "started again, resumed by the operator", 0, took)


def lose(federation: Deployment, site: str) -> None:
    for process in [name for name in federation.all_names() if name.startswith(f"{site}.")]:
        federation.kill(process)
