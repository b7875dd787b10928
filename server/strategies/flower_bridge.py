"""Flower's server strategies behind our guard and our exact sum.

The mean of a round's updates is computed by exchange.FixedPointSum, so that it does not depend on the order of
arrival. Flower's own strategy then receives that mean as the single reply of a round and does with it what it does
with a mean: FedAvg and FedProx keep it, FedAvgM, FedAdam and FedYogi move the base along it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, Metadata, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedAvgM, FedProx, FedYogi
from flwr.serverapp.strategy.fedopt import FedOpt
from numpy.typing import NDArray

from shared_model.config.federation import FederationConfig
from shared_model.exchange.parameters import Arrays

WEIGHT_KEY = "num-examples"
_MOMENTS = ("m_t", "v_t")

# Flower logs every aggregation of the single reply that it is given here; our own history says what happened.
logging.getLogger("flwr").setLevel(logging.WARNING)


class ServerStrategy:
    """One of Flower's strategies by our name for it; keeps its optimiser state from round to round."""

    def __init__(self, config: FederationConfig) -> None:
        self.flower = _create(config)
        self._names: list[str] = []  # of the arrays whose momentum FedAvgM keeps in a list

    def next_model(self, number: int, base: Arrays, mean: Arrays) -> Arrays:
        """The model after round `number`, from its base and the weighted mean of the updates."""
        if isinstance(self.flower, FedOpt):
            self.flower.current_arrays = dict(base)
        elif isinstance(self.flower, FedAvgM):
            self.flower.current_arrays = _record(base)
            self._order(list(base))
        arrays, _ = self.flower.aggregate_train(number, [_reply(mean)])
        if arrays is None:
            raise RuntimeError(f"{type(self.flower).__name__} returned no model for one valid reply")
        return {name: arrays[name].numpy().astype(np.float32) for name in base}

    def state(self) -> dict[str, NDArray[Any]]:
        """The optimiser's moments, for the checkpoint; nothing where the strategy keeps none."""
        found: dict[str, NDArray[Any]] = {}
        if isinstance(self.flower, FedOpt):
            for moment in _MOMENTS:
                kept = getattr(self.flower, moment) or {}
                found |= {f"{moment}/{name}": array for name, array in kept.items()}
        elif isinstance(self.flower, FedAvgM) and self.flower.momentum_vector is not None:
            named = zip(self._names, self.flower.momentum_vector, strict=True)
            found = {f"momentum/{name}": np.asarray(array) for name, array in named}
        return found

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """What `state` gave."""
        moments: dict[str, dict[str, NDArray[Any]]] = {}
        for key, array in state.items():
            moment, name = key.split("/", 1)
            moments.setdefault(moment, {})[name] = array
        if isinstance(self.flower, FedOpt) and moments:
            self.flower.m_t, self.flower.v_t = moments["m_t"], moments["v_t"]
        elif isinstance(self.flower, FedAvgM) and moments:
            self._names = list(moments["momentum"])
            self.flower.momentum_vector = list(moments["momentum"].values())

    def _order(self, names: list[str]) -> None:
        """Flower keeps momentum in the order of the arrays: that of this round, which a file does not keep."""
        if isinstance(self.flower, FedAvgM) and self.flower.momentum_vector is not None:
            named = dict(zip(self._names, self.flower.momentum_vector, strict=True))
            self.flower.momentum_vector = [named[name] for name in names]
        self._names = names


def _create(config: FederationConfig) -> FedAvg:
    optimizer = config.server_optimizer
    if config.strategy == "fedavgm":
        return FedAvgM(server_learning_rate=optimizer.learning_rate, server_momentum=optimizer.momentum)
    if config.strategy in ("fedadam", "fedyogi"):
        adaptive = FedAdam if config.strategy == "fedadam" else FedYogi
        return adaptive(
            eta=optimizer.adaptive_learning_rate,
            beta_1=optimizer.beta_1,
            beta_2=optimizer.beta_2,
            tau=optimizer.tau,
        )
    # The proximal term itself is part of a site's training loss (training.proximal).
    return FedProx() if config.strategy == "fedprox" else FedAvg()


def _record(arrays: Mapping[str, NDArray[np.float32]]) -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def _reply(mean: Arrays) -> Message:
    """A reply as strategies expect it, made without a network."""
    metadata = Metadata(
        run_id=0,
        message_id="mean",
        src_node_id=0,
        dst_node_id=0,
        reply_to_message_id="round",
        group_id="",
        created_at=0.0,
        ttl=1.0,
        message_type="train",
    )
    content = RecordDict({"arrays": _record(mean), "metrics": MetricRecord({WEIGHT_KEY: 1})})
    make: Any = Message  # its overloads leave out `metadata`, which Flower itself uses
    message: Message = make(content, metadata=metadata)
    return message
