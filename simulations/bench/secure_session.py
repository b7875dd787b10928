"""One secure round of full-size updates, as a process: `python -m simulations.bench.secure_session SITES [PRESET]`.

The protocol, its keys and its masks are the real ones at both ends, and so are the sizes; training is left out, whose
result is drawn. Prints one line of JSON: what a site sends and receives in all steps, the same of a round in int8 and
bf16, and the seconds that masking takes a site and opening takes the coordinator.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from client.privacy.secure_aggregation.simulated import SimulatedRounds
from server.downlink import Downlink
from server.patience import Patience
from server.secure_aggregation.opening import MaskedSum
from server.secure_aggregation.session import SecureSession, new_round
from server.sites import Question
from shared_model.config import Config, load_config
from shared_model.config.exchange import Codec, ExchangeConfig
from shared_model.exchange import Coding, Payload, fingerprint
from shared_model.exchange.base import received
from shared_model.exchange.codec import shapes_of
from shared_model.exchange.coding import EXCHANGE
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update
from shared_model.memory import peak_bytes
from shared_model.model.parts import PARTS
from shared_model.records import GRADES, TASKS
from shared_model.secure_aggregation.field import sizes
from shared_model.secure_aggregation.report import length
from simulations.bench.aggregation_run import drawn_model, report

MOVED = 1e-5  # by which every number differs from the base, well within the bound
WEIGHT = 100


class DrawnSites:
    """Sites that have trained already: every one the same update, masked by its own keys."""

    def __init__(self, root: Path, config: Config, names: list[str]) -> None:
        self._rounds = {name: SimulatedRounds(root, name, config) for name in names}
        self.seconds: list[float] = []  # of masking, each with the shares it took in

    def addresses(self) -> list[str]:
        """All of them."""
        return list(self._rounds)

    def ask(self, question: Question, payloads: Mapping[str, Payload]) -> Iterator[tuple[str, Payload]]:
        """One answer a site."""
        for name, request in payloads.items():
            if question == "secure_aggregation":
                yield name, self._rounds[name].answer(request, WEIGHT, TASKS, PARTS)
                continue
            base = _base(request)
            started = time.perf_counter()
            learnt = partial(_trained, base, request)
            answer = self._rounds[name].rounds.masked(question, request, learnt, partial(_itself, base))
            self.seconds.append(time.perf_counter() - started)
            yield name, answer


def main(count: int, preset: str = "paper") -> None:
    """One round of `count` sites."""
    names = [f"site-{number}" for number in range(count)]
    config = load_config(preset, overrides=("secure_aggregation.enabled=true", "federation.sites=0"))
    model = drawn_model(config)
    with tempfile.TemporaryDirectory() as folder:
        sites = DrawnSites(Path(folder), config, names)
        downlink = Downlink(sites, ExchangeConfig(uplink="bf16", downlink="bf16"))
        base = downlink.offer(model)
        addresses, weights = {name: name for name in names}, dict.fromkeys(names, WEIGHT)
        session = SecureSession(
            sites, downlink, config, addresses, weights, lambda enough, seconds: Patience(enough, 0.0, 0.0)
        )
        fields = {"round": 1, "learning_rate": config.training.learning_rate, "standardisation": {}}
        started = time.perf_counter()
        pending = session.collect(new_round("train", 1), names, fields, sizes(base), length(len(base)))
        session.open(pending)
        seconds = time.perf_counter() - started
    print(json.dumps(_found(session, sites, pending.total, base, seconds)))


def _found(
    session: SecureSession, sites: DrawnSites, total: MaskedSum, base: Arrays, seconds: float
) -> dict[str, Any]:
    if len(total.sites) != len(sites.addresses()):
        raise RuntimeError(f"{len(total.sites)} sites are in the sum")
    count = len(total.sites)
    return {
        "sites": count,
        "numbers": sizes(base),
        "bytes_up": sum(session.bytes_up.values()) / count,
        "bytes_down": sum(session.bytes_down.values()) / count,
        "clear": {codec: _clear(base, codec) for codec in ("int8", "bf16")},
        "seconds_masking": sum(sites.seconds) / count,
        "seconds_besides": (seconds - sum(sites.seconds)) / count,
        "peak_bytes": peak_bytes(),
    }


def _clear(base: Arrays, codec: Codec) -> dict[str, int]:
    """Bytes of the same update without secure aggregation, counted in the same way."""
    wire, _ = pack_update(_moved(base), base, codec, owed={})
    coding = Coding(codec, fingerprint(base)).to_field()
    return {"bytes_up": Payload(wire, {"round": 1, **report(), EXCHANGE: coding}).nbytes}


def _base(request: Payload) -> Arrays:
    coding = Coding.of(request.fields)
    assert coding is not None  # as main() has it sent
    return received(request.arrays, coding.codec, shapes_of(request.arrays))


def _itself(base: Arrays) -> Arrays:
    return base


def _trained(base: Arrays, request: Payload) -> Payload:
    coding = {EXCHANGE: request.fields[EXCHANGE]}
    said = report()
    right = np.eye(GRADES, dtype=int).tolist()  # so that figures are masked too
    said["validation"] = {"examples": 2 * GRADES, "loss_sum": 1.0, "confusion": dict.fromkeys(TASKS, right)}
    return Payload(_moved(base), {"round": request.fields["round"], **said, **coding})


def _moved(base: Arrays) -> Arrays:
    return {name: array + array.dtype.type(MOVED) for name, array in base.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:3])
