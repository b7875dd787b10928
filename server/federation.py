"""A whole federated run from the coordinator's side, free of Flower: handshake, statistics, rounds, model."""

from __future__ import annotations

from collections.abc import Callable

from server.handshake import gather_statistics, join
from server.history import RoundRecord
from server.rounds import RoundLoop
from server.sites import Sites
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import shared_tensors, trunk_fingerprint
from shared_model.losses import Objective
from shared_model.model import build_model


def run_federation(
    sites: Sites,
    config: Config,
    folder: RunFolder,
    label: str = "federated",
    on_round: Callable[[RoundRecord], None] = lambda record: None,
) -> None:
    """Train one model over `sites`; weights, history, statistics and quarantine are left in `folder`."""
    objective = Objective(build_model(config.model, seed=config.seed), config.losses)
    initial, trunk = shared_tensors(objective), trunk_fingerprint(objective)
    del objective  # the sites have their own
    tensors = {name: list(array.shape) for name, array in initial.items()}
    roster = join(sites, trunk, tensors, quorum=config.federation.quorum)
    statistics = gather_statistics(sites, roster)
    folder.save_json("statistics.json", statistics.to_dict())
    standardisation = statistics.standardisation().reading(config.model.inputs).to_dict()
    folder.save_json("standardisation.json", standardisation)
    loop = RoundLoop(sites, roster, config, standardisation, folder, label, on_round)
    loop.run(initial)
