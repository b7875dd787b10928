"""One round of full-size updates at the coordinator, as a process: `... SITES [PRESET]`.

The round loop, its guard and its sum are the real ones, and so are the updates: the paper preset's shared tensors,
moved and packed by its own codec at this end of a channel, as a site would pack them. Three different ones take turns,
so that packing, which is the sites' work, is done before. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from server.handshake import Roster
from server.rounds import RoundLoop
from server.sites import Question, SiteFailure
from server.store import RunFolder
from shared_model.config import Config, load_config
from shared_model.exchange import Coding, Payload, parameter_kinds
from shared_model.exchange.codec import Wire
from shared_model.exchange.coding import EXCHANGE
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update
from shared_model.losses import Objective
from shared_model.memory import peak_bytes, reset_peak
from shared_model.model import build_model
from shared_model.randomness import numpy_generator
from shared_model.records import GRADES, TASKS

EXAMPLES = 100  # training records of every site
DIFFERENT = 3
NONE_RIGHT = [[0] * GRADES for _ in range(GRADES)]


class PackedSites:
    """Sites that answer at once with an update that was packed before."""

    def __init__(self, count: int, wires: list[Wire], config: Config) -> None:
        self._names = [str(number) for number in range(count)]
        self._wires = wires
        self._codec = config.exchange.uplink

    def addresses(self) -> list[str]:
        """All of them."""
        return self._names

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        """One answer a site; the arrays are copies, as they are when they come from a network."""
        for address, payload in payloads.items():
            coding = Coding.of(payload.fields)
            fields: dict[str, Any] = {"round": payload.fields["round"], **report()}
            if coding is not None:
                fields[EXCHANGE] = Coding(self._codec, coding.base).to_field()
            wire = self._wires[int(address) % len(self._wires)] if question == "train" else {}
            yield address, Payload({name: array.copy() for name, array in wire.items()}, fields)


def main(sites: int, preset: str = "paper") -> None:
    """One round over `sites` sites."""
    config = load_config(preset, federation__rounds=1)
    model = drawn_model(config)
    wires = [_packed(model, config, number) for number in range(DIFFERENT)]
    names = {str(number): f"site-{number}" for number in range(sites)}
    roster = Roster(names, dict.fromkeys(names, EXAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        loop = RoundLoop(PackedSites(sites, wires, config), roster, config, {}, RunFolder(Path(folder)))
        reset_peak()
        started = time.perf_counter()
        loop.run(model)
        seconds = time.perf_counter() - started
        taken = len(RunFolder(Path(folder)).history()[-1]["sites"])
    if taken != sites:
        raise RuntimeError(f"{taken} of {sites} updates were used")
    print(json.dumps({"sites": sites, "seconds": seconds, "peak_bytes": peak_bytes()}))


def drawn_model(config: Config) -> Arrays:
    """Numbers for the tensors that travel; only their shapes are the model's."""
    with torch.device("meta"):  # shapes without memory
        objective = Objective(build_model(config.model, pretrained=False), config.losses)
    state, random = objective.state_dict(), np.random.default_rng(0)
    return {
        name: random.standard_normal(tuple(state[name].shape), dtype=np.float32) * np.float32(0.02)
        for name, kind in parameter_kinds(objective).items()
        if kind == "shared"
    }


def _packed(model: Arrays, config: Config, number: int) -> Wire:
    """What a site sends that moved every number a little; a tensor at a time, to leave the memory small."""
    random, wire = np.random.default_rng(number + 1), Wire()
    for name, array in model.items():
        moved = array + random.standard_normal(array.shape, dtype=np.float32) * np.float32(1e-4)
        rounding = numpy_generator(config.seed, "rounding", number, name)

        def randoms(_: str, generator: np.random.Generator = rounding) -> np.random.Generator:
            return generator

        wire |= pack_update({name: moved}, {name: array}, config.exchange.uplink, owed={}, randoms=randoms)[0]
    return wire


def report() -> dict[str, Any]:
    """What a site says beside its tensors."""
    return {
        "examples": EXAMPLES,
        "loss": 1.0,
        "losses": {},
        "loss_weights": {},
        "seconds": 0.0,
        "validation": {"examples": 0, "loss_sum": 0.0, "confusion": dict.fromkeys(TASKS, NONE_RIGHT)},
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:3])
