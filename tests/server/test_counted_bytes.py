"""A round's bytes: what its messages took, however often they went, and what the transport carried meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from server.cli import app
from server.handshake import Roster
from server.moved import Moved
from server.rounds import RoundLoop
from server.sites import Carried, SiteFailure
from server.store import RunFolder
from server.store.runs import RunStore
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays

NAMES = {"1": "north", "2": "south", "3": "west"}
MakeLoop = Callable[..., RoundLoop]


@pytest.fixture
def honest(honest_update: Callable[..., Payload]) -> dict[str, Callable[[Payload], Payload]]:
    def answer(request: Payload) -> Payload:
        moved = {name: array + np.float32(0.5) for name, array in request.arrays.items()}
        return honest_update(request.fields["round"], 10, moved)

    return dict.fromkeys(NAMES, answer)


@pytest.fixture
def loop(tmp_path: Path, small_config: Callable[..., Config]) -> MakeLoop:
    def make(sites: Any, *overrides: str, name: str = "run") -> RoundLoop:
        config = small_config("training.early_stopping=0", *overrides)
        roster = Roster(dict(NAMES), dict.fromkeys(NAMES, 10))
        return RoundLoop(sites, roster, config, {"s": 1}, RunFolder(tmp_path / name), "federated")

    return make


def test_what_the_transport_carried_stands_beside_what_the_messages_took_and_no_byte_counts_twice(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays
) -> None:
    looks = iter([None, Moved(110, 220), Moved(330, 440), Moved(340, 450)])
    running = loop(scripted(honest), "federation.rounds=2")
    running.wire = lambda: next(looks)
    running.run(base)
    rows = running.folder.history()
    assert [(row["wire_up"], row["wire_down"]) for row in rows] == [(None, None), (110, 220), (220, 220)]
    assert (rows[2]["evaluation_wire_up"], rows[2]["evaluation_wire_down"]) == (10, 10)
    silent = loop(scripted(honest), "federation.rounds=1", name="silent")
    silent.run(base)
    assert {row["wire_up"] for row in silent.folder.history()} == {None}


class Failing:
    """West fails the first time it is asked to train, having sent 1000 bytes of no use."""

    def __init__(self, sites: Any) -> None:
        self.sites, self.failed = sites, False

    def addresses(self) -> list[str]:
        return list(NAMES)

    def ask(self, question: Any, payloads: Any) -> Iterator[Any]:
        for address, answer in self.sites.ask(question, payloads):
            yield Carried(address, down=payloads[address].nbytes)
            if question == "train" and address == "3" and not self.failed:
                self.failed = True
                yield Carried(address, up=1000)
                yield address, SiteFailure("an answer that is not ours")
                continue
            yield Carried(address, up=answer.nbytes)
            yield address, answer


def test_a_site_that_failed_and_was_asked_again_counts_twice(
    scripted: Any, honest: Any, loop: MakeLoop, base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.collecting.RETRY_SECONDS", 0.0)
    running = loop(
        Failing(scripted(honest)), "federation.rounds=1", "federation.quorum=3", "federation.silence=60"
    )
    running.run(base)
    row = running.folder.history()[1]
    north, west = row["sites"]["north"], row["sites"]["west"]
    assert west["bytes_down"] == 2 * north["bytes_down"]
    assert west["bytes_up"] == pytest.approx(north["bytes_up"] + 1000, abs=5)
    assert row["bytes_down"] == sum(site["bytes_down"] for site in row["sites"].values())
    assert row["bytes_up"] == sum(site["bytes_up"] for site in row["sites"].values())


def test_status_tells_the_last_round_s_bytes_by_either_count(
    tmp_path: Path, small_config: Callable[..., Config]
) -> None:
    store = RunStore(tmp_path / "store")
    store.create("one", small_config(), federation="here", canary=False, plan=None)
    row = {"round": 1, "validation": {"loss": None}, "sites": {}, "bytes_up": 37_100_000}
    row |= {"bytes_down": 73_800_000, "wire_up": 38_000_000, "wire_down": 74_900_000}
    given = ["status", "one", "--store", str(store.folder)]
    store.open("one").append_history(row | {"wire_up": None, "wire_down": None})
    assert "round 1: 37.1 MB up, 73.8 MB down\n" in CliRunner().invoke(app, given).stdout
    store.open("one").append_history(row)
    said = CliRunner().invoke(app, given).stdout
    assert "round 1: 37.1 MB up, 73.8 MB down; through the front 38.0 up, 74.9 down\n" in said
    told = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)["exchanged"]
    assert told == {key: row[key] for key in ("round", "bytes_up", "bytes_down", "wire_up", "wire_down")}
