"""The apps of the idle round: our round loop over a Grid, and stock FedAvg with a ClientApp that does nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from simulations.bench.deployment_idle import EXAMPLES, model

# One a line: Flower looks for them in the text of this file.
ours = ServerApp()
stock = ServerApp()
nothing = ClientApp()
stock_site = ClientApp()
PAUSE = 0.2


@ours.main()
def run_ours(grid: Grid, context: Context) -> None:
    """Rounds of server.rounds with everything that a deployed run keeps, over sites that answer at once."""
    from server.grid_sites import GridSites
    from server.handshake import Roster
    from server.planned_sites import PlannedSites
    from server.rounds import RoundLoop
    from server.store.runs import RunStore
    from shared_model.config import load_config
    from shared_model.run_plan import SignedPlan

    told, sites = context.run_config, PlannedSites(GridSites(grid, probing=True), SignedPlan("idle", "", ""))
    _await(lambda: len(sites.addresses()) == int(told["sites"]))
    addresses = sites.addresses()
    rounds = int(told["rounds"])
    fixed = (
        f"federation.rounds={rounds}",
        f"federation.quorum={len(addresses)}",
        "training.early_stopping=0",
    )
    waits = ("federation.grace=60", "federation.silence=600", "exchange={uplink='fp32', downlink='fp32'}")
    config = load_config("tiny", overrides=(*fixed, *waits))
    store = RunStore(Path(str(told["folder"])))
    store.create("idle", config, federation="bench", canary=False, plan=None)
    names = {address: f"site-{number}" for number, address in enumerate(addresses)}
    roster = Roster(names, dict.fromkeys(addresses, EXAMPLES))
    ended: list[float] = [time.monotonic()]
    loop = RoundLoop(
        sites, roster, config, {}, store.open("idle"), on_round=lambda record: ended.append(time.monotonic())
    )
    loop.run(model())
    _write(context, ended)


@stock.main()
def run_stock(grid: Grid, context: Context) -> None:
    """FedAvg as Flower ships it, training only."""
    from flwr.serverapp.strategy import FedAvg

    ended: list[float] = []

    def heard(number: int, arrays: ArrayRecord) -> MetricRecord:
        ended.append(time.monotonic())
        return MetricRecord()

    sites = int(context.run_config["sites"])
    _await(lambda: len(list(grid.get_node_ids())) == sites)
    strategy = FedAvg(
        fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=sites, min_available_nodes=sites
    )
    strategy.start(
        grid, ArrayRecord(model()), num_rounds=int(context.run_config["rounds"]), evaluate_fn=heard
    )
    _write(context, ended)


@stock_site.train()
def train(message: Message, context: Context) -> Message:
    """The arrays as they came."""
    counted = MetricRecord({"num-examples": EXAMPLES})
    return Message(RecordDict({"arrays": message.content["arrays"], "metrics": counted}), reply_to=message)


def _await(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(PAUSE)


def _write(context: Context, ended: list[float]) -> None:
    took = [later - earlier for earlier, later in zip(ended, ended[1:], strict=False)]
    file = Path(str(context.run_config["answer"]))
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(took), encoding="utf-8")
    partial.replace(file)
