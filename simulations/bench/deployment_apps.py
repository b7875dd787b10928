"""The ServerApp of our idle round: the round loop over a Grid. Its ClientApp is named and never fetched."""

from __future__ import annotations

import time
from pathlib import Path

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from simulations.bench.deployment_answer import await_true, told
from simulations.bench.deployment_idle import EXAMPLES, model

# One a line: Flower looks for them in the text of this file.
ours = ServerApp()
nothing = ClientApp()


@ours.main()
def run_ours(grid: Grid, context: Context) -> None:
    """Rounds of server.rounds with everything that a deployed run keeps, over sites that answer at once."""
    told(context, lambda: _rounds(grid, context))


def _rounds(grid: Grid, context: Context) -> list[float]:
    from server.grid_sites import GridSites
    from server.handshake import Roster
    from server.planned_sites import PlannedSites
    from server.rounds import RoundLoop
    from server.store.runs import RunStore
    from shared_model.config import load_config
    from shared_model.run_plan import SignedPlan

    settings, sites = (
        context.run_config,
        PlannedSites(GridSites(grid, probing=True), SignedPlan("idle", "", "")),
    )
    await_true(lambda: len(sites.addresses()) == int(settings["sites"]))
    addresses = sites.addresses()
    rounds = int(settings["rounds"])
    fixed = (
        f"federation.rounds={rounds}",
        f"federation.quorum={len(addresses)}",
        "training.early_stopping=0",
    )
    waits = ("federation.grace=60", "federation.silence=600", "exchange={uplink='fp32', downlink='fp32'}")
    config = load_config("tiny", overrides=(*fixed, *waits))
    store = RunStore(Path(str(settings["folder"])))
    store.create("idle", config, federation="bench", canary=False, plan=None)
    names = {address: f"site-{number}" for number, address in enumerate(addresses)}
    roster = Roster(names, dict.fromkeys(addresses, EXAMPLES))
    ended: list[float] = [time.monotonic()]
    loop = RoundLoop(
        sites, roster, config, {}, store.open("idle"), on_round=lambda record: ended.append(time.monotonic())
    )
    loop.run(model())
    return ended
