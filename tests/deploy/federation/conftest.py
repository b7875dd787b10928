"""One federation for all tests of a file, and requests at its front that a site's machine makes."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from site_requests import heartbeat

from deploy.rehearsal.commands import PROGRAMS
from deploy.rehearsal.files import Plan
from deploy.rehearsal.networks import COORDINATOR
from deploy.rehearsal.rehearsal import Rehearsal

SECONDS = 1700.0  # of everything here, on a machine that is busy with other things
RUN, ROUNDS = "first", 3
SMALL = ("training.local_steps=2", "training.batch_size=8", "evaluation.batch_size=16")
HEARTBEAT = "/v1/fleet/send-node-heartbeat"
KNOCK = Path(__file__).with_name("knock.py")
Knock = Callable[..., str]


@pytest.fixture(scope="module")
def federation() -> Iterator[Rehearsal]:
    """Three sites whose first run is finished; everything runs still."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))  # short: a socket's path lies in it
    plan = Plan(patients=24, rounds=ROUNDS, overrides=SMALL)
    rehearsal = Rehearsal(folder, plan, seconds=SECONDS)
    try:
        rehearsal.provision()
        rehearsal.draw_data()
        rehearsal.start()
        rehearsal.approve_federation()
        rehearsal.launch(RUN)
        rehearsal.approve_plan(RUN)
        rehearsal.wait_for_end(RUN)
        yield rehearsal
    finally:
        killed = rehearsal.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    assert killed == []
    assert rehearsal.left_behind() == []


@pytest.fixture(scope="module")
def knock(federation: Rehearsal) -> Knock:
    """A request at the front from a site's machine, as the kit there would make it; changes are by keyword."""

    def at(site: str, path: str = HEARTBEAT, machine: str = "", **changed: Any) -> str:
        kit = federation.home(site) / "kit"
        told = {
            "host": federation.network.places[COORDINATOR].address,
            "port": federation.network.port,
            "path": path,
            "believed": str(kit / "certificates/authority.pem"),
            "certificate": str(kit / "certificates/site.pem"),
            "key": str(kit / "keys/site.key"),
            "node_key": str(kit / "keys/node.key"),
            "body": heartbeat(federation, site),
        }
        place = federation.network.places[machine or site]
        done = subprocess.run(
            [*place.prefix, str(PROGRAMS / "python"), str(KNOCK)],
            input=json.dumps(told | changed),
            env=federation.commands.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return at
