"""Stock FedAvg and a ClientApp that does nothing, for the idle round of stock Flower.

Nothing of ours is imported: every message starts a process at a SuperNode, which is to load no more than Flower.
"""

from __future__ import annotations

import time

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from simulations.bench.deployment_answer import await_true, told

EXAMPLES = 8
# One a line: Flower looks for them in the text of this file.
stock = ServerApp()
stock_site = ClientApp()


@stock.main()
def run_stock(grid: Grid, context: Context) -> None:
    """Rounds of FedAvg, their times written down."""
    told(context, lambda: _rounds(grid, context))


def _rounds(grid: Grid, context: Context) -> list[float]:
    """FedAvg as Flower ships it, training only."""
    from flwr.serverapp.strategy import FedAvg

    ended: list[float] = []

    def heard(number: int, arrays: ArrayRecord) -> MetricRecord:
        ended.append(time.monotonic())
        return MetricRecord()

    sites = int(context.run_config["sites"])
    await_true(lambda: len(list(grid.get_node_ids())) == sites)
    strategy = FedAvg(
        fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=sites, min_available_nodes=sites
    )
    strategy.start(
        grid, ArrayRecord(_model()), num_rounds=int(context.run_config["rounds"]), evaluate_fn=heard
    )
    return ended


@stock_site.train()
def train(message: Message, context: Context) -> Message:
    """The arrays as they came."""
    counted = MetricRecord({"num-examples": EXAMPLES})
    return Message(RecordDict({"arrays": message.content["arrays"], "metrics": counted}), reply_to=message)


def _model() -> list[NDArray[np.float32]]:
    """As simulations.bench.deployment_idle.model."""
    return [np.zeros((50, 50), np.float32) for _ in range(10)]
