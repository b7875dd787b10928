"""What the updates of one round become, before a strategy makes the next model of it.

Mean-type strategies add each update as it arrives to one exact sum and forget it. The robust ones must see every
update of the round at once: those wait in a file, and are read back a slice at a time.
"""

from __future__ import annotations

from pathlib import Path

from server.aggregation.aggregate import Aggregate
from server.aggregation.running_mean import RunningMean
from server.aggregation.waiting import WaitingUpdates
from shared_model.config.federation import ROBUST, FederationConfig
from shared_model.exchange.parameters import Arrays

__all__ = ["Aggregate", "RunningMean", "WaitingUpdates", "aggregate_of"]


def aggregate_of(config: FederationConfig, base: Arrays, folder: Path) -> Aggregate:
    """An empty aggregate for a round from `base`. folder: where updates may wait, with room for all of them."""
    if config.strategy in ROBUST:
        return WaitingUpdates(base, config, folder)
    return RunningMean(base)
