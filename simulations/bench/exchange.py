"""How many bytes a site sends and receives in a round at full size, beside sending the whole state dict.

Only shapes matter for that, so the model is never trained, nor even filled: numbers are drawn for the tensors that
travel. Both sides of the comparison are counted as Flower's arrays carry them, their headers included.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from shared_model.config import Config, load_config
from shared_model.config.adapters import AdaptersConfig
from shared_model.config.exchange import Codec
from shared_model.exchange import Coding, Payload, fingerprint, parameter_kinds
from shared_model.exchange.base import change, received, whole_set
from shared_model.exchange.codec import Wire, shapes_of
from shared_model.exchange.coding import EXCHANGE
from shared_model.exchange.flower_records import from_records, to_records
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update, unpack_update
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.randomness import numpy_generator

Shapes = dict[str, tuple[int, ...]]

ADAPTERS = ("adapters", "adapters-all")  # presets of the paper's model that train its encoders by adapters


def exchange_bytes(config: Config | None = None) -> dict[str, Any]:
    """Bytes of one site's round each way with `config`, and seconds to pack and unpack. Without one, the paper's, and
    under `adapters` the same of the presets with adapters.

    `plain`: the whole state dict, each way, of the model without adapters. `bytes_down_whole`: to a site that holds
    no set that a change could be of. `bytes_down_change`: were the downlink int8, to one that took part in the round
    before.
    """
    if config is None:
        adapted = {preset: exchange_bytes(load_config(preset)) for preset in ADAPTERS}
        return {**exchange_bytes(load_config("paper")), "adapters": adapted}
    shared = _shapes(config)[1]
    model, moved = _drawn(shared, 0, 0.02), _drawn(shared, 1, 1e-4)
    codec = config.exchange.downlink
    whole, base, packing, unpacking = _down(model, "bf16" if codec == "int8" else codec, shared)
    trained = {name: base[name] + moved[name] for name in base}
    up, up_packing, up_unpacking = _up(trained, base, config)
    plain = _whole_state(_shapes(_without_adapters(config))[0])
    changed, _ = _message(change(trained, base)[0], Coding("int8", fingerprint(base), fingerprint(base)))
    down = changed if codec == "int8" else whole
    return {
        "plain": plain,
        "uplink": config.exchange.uplink,
        "downlink": config.exchange.downlink,
        "parameters": sum(array.size for array in model.values()),
        "bytes_up": up,
        "bytes_down": down,
        "bytes_down_whole": whole,
        "bytes_down_change": changed,
        "ratio_up": up / plain,
        "ratio_down": down / plain,
        "seconds": {
            "site_unpacks": unpacking,
            "site_packs": up_packing,
            "coordinator_packs": packing,
            "coordinator_unpacks": up_unpacking,
        },
    }


def _without_adapters(config: Config) -> Config:
    model = config.model.model_copy(update={"adapters": AdaptersConfig()})
    return config.model_copy(update={"model": model})


def _shapes(config: Config) -> tuple[Shapes, Shapes]:
    """Of every tensor of the model's state, and of those that travel."""
    with torch.device("meta"):  # shapes without memory
        objective = Objective(build_model(config.model, pretrained=False), config.losses)
    every = {name: tuple(tensor.shape) for name, tensor in objective.state_dict().items()}
    kinds = parameter_kinds(objective)
    return every, {name: shape for name, shape in every.items() if kinds[name] == "shared"}


def _drawn(shapes: Shapes, seed: int, size: float) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        name: np.asarray(random.standard_normal(shape, dtype=np.float32) * np.float32(size))
        for name, shape in shapes.items()
    }


def _down(model: Arrays, codec: Codec, shapes: Shapes) -> tuple[int, Arrays, float, float]:
    started = time.perf_counter()
    wire, base = whole_set(model, codec)
    coding = Coding(codec, fingerprint(base))
    packed = time.perf_counter()
    count, arrived = _message(wire, coding)
    begun = time.perf_counter()
    if fingerprint(received(arrived.arrays, codec, shapes)) != coding.base:
        raise RuntimeError("the two ends hold different bases")
    return count, base, packed - started, time.perf_counter() - begun


def _up(trained: Arrays, base: Arrays, config: Config) -> tuple[int, float, float]:
    codec = config.exchange.uplink

    def random(name: str) -> np.random.Generator:
        return numpy_generator(config.seed, "rounding", "bench", 1, name)

    started = time.perf_counter()
    stochastic = config.exchange.stochastic_rounding
    wire, _ = pack_update(trained, base, codec, owed={}, randoms=random if stochastic else None)
    packed = time.perf_counter()
    count, arrived = _message(wire, Coding(codec, fingerprint(base)))
    begun = time.perf_counter()
    found = arrived.arrays if codec == "fp32" else unpack_update(arrived.arrays, codec, base)
    if shapes_of(found) != shapes_of(base):
        raise RuntimeError("the update did not arrive whole")
    return count, packed - started, time.perf_counter() - begun


def _message(wire: Wire, coding: Coding) -> tuple[int, Payload]:
    """Bytes of the message as Flower's arrays carry it, and the message as it is read at the other end."""
    records = to_records(Payload(wire, {EXCHANGE: coding.to_field()}))
    arrays = records.array_records["arrays"].values()
    fields = str(records.config_records["fields"]["json"]).encode()
    return sum(len(array.data) for array in arrays) + len(fields), from_records(records)


def _whole_state(shapes: Shapes) -> int:
    """Bytes of the whole state dict as stock Flower sends it: every tensor, fp32. One at a time, to save memory."""
    count = 0
    for name, shape in shapes.items():
        records = to_records(Payload({name: np.zeros(shape, dtype=np.float32)}))
        count += len(records.array_records["arrays"][name].data)
    return count
