"""The round loop where what travels is packed, over sites that pack and unpack as real ones do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.handshake import Roster
from server.rounds import RoundLoop
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import Coding, Payload, fingerprint
from shared_model.exchange.base import changed, received
from shared_model.exchange.codec import shapes_of
from shared_model.exchange.coding import EXCHANGE, FULL_SET
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update

COUNTS = {"1": 10, "2": 30, "3": 2}
NAMES = {"1": "north", "2": "south", "3": "west"}
STEPS = {"1": 0.5, "2": -0.25, "3": 1.0}
Answer = Payload | SiteFailure
Change = Callable[[Payload], Answer]


class PackingSite:
    """Moves every number by its own step. holds: what it has of the model; forgetful: loses it after every round."""

    def __init__(self, address: str, make: Any, codec: Any, *, forgetful: bool = False) -> None:
        self.address, self.make, self.codec, self.forgetful = address, make, codec, forgetful
        self.holds: Arrays | None = None
        self.requests: list[Payload] = []

    def __call__(self, request: Payload) -> Payload:
        self.requests.append(request)
        number, coding = request.fields["round"], Coding.of(request.fields)
        assert coding is not None
        if coding.upon is not None and (self.holds is None or fingerprint(self.holds) != coding.upon):
            return Payload(fields={"round": number, FULL_SET: True})
        if coding.upon is None:
            shapes = shapes_of({k: v for k, v in request.arrays.items() if not k.startswith("scale:")})
            base = received(request.arrays, coding.codec, shapes)
        else:
            assert self.holds is not None
            base = changed(self.holds, request.arrays)
        assert fingerprint(base) == coding.base
        self.holds = None if self.forgetful else base
        moved = {name: array + np.float32(STEPS[self.address]) for name, array in base.items()}
        wire, _ = pack_update(moved, base, self.codec, owed={})
        said = Coding(self.codec, coding.base).to_field()
        update: Payload = self.make(number, COUNTS[self.address], wire, exchange=said)
        return update


@pytest.fixture
def sites(honest_update: Callable[..., Payload]) -> Callable[..., dict[str, Any]]:
    return lambda codec="int8", **options: {a: PackingSite(a, honest_update, codec, **options) for a in NAMES}


@pytest.fixture
def loop(tmp_path: Path, small_config: Callable[..., Config], scripted: Any) -> Callable[..., RoundLoop]:
    def make(
        train: Any, up: str, down: str, *, rounds: int = 3, name: str = "run", **options: Any
    ) -> RoundLoop:
        packing = f"exchange={{uplink='{up}', downlink='{down}'}}"
        config = small_config("training.early_stopping=0", f"federation.rounds={rounds}", packing)
        carrier = scripted(train, **options)
        return RoundLoop(carrier, Roster(NAMES, COUNTS), config, {"s": 1}, RunFolder(tmp_path / name))

    return make


def mean_step(*addresses: str) -> float:
    return sum(COUNTS[a] * STEPS[a] for a in addresses) / sum(COUNTS[a] for a in addresses)


def reasons(loop: RoundLoop) -> list[str]:
    path = loop.folder.path / "refused-updates.jsonl"
    return [json.loads(line)["reason"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("up", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("down", ["fp32", "bf16", "int8"])
def test_every_codec_carries_the_mean_to_within_its_rounding(
    up: str, down: str, sites: Any, loop: Any, base: Arrays
) -> None:
    if (up, down) == ("fp32", "fp32"):
        return  # test_rounds.py
    running = loop(sites(up), up, down)
    found = running.run(base)
    for name, array in base.items():
        np.testing.assert_allclose(
            found[name], array + 3 * mean_step(*NAMES), atol=1e-2 if up == "bf16" else 1e-5
        )
    assert reasons(running) == []


@pytest.mark.parametrize("down", ["bf16", "int8"])
def test_the_order_of_arrival_changes_no_bit(down: str, sites: Any, loop: Any, base: Arrays) -> None:
    a = loop(sites(), "int8", down, name="a").run(base)
    b = loop(sites(), "int8", down, name="b", order=lambda addresses: addresses[::-1]).run(base)
    assert all(a[name].tobytes() == b[name].tobytes() for name in base)


@pytest.mark.parametrize("down", ["bf16", "int8"])
def test_the_coordinators_model_keeps_what_rounding_takes_on_the_way_down(
    down: str, sites: Any, loop: Any, base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sites that learn nothing leave the model as it was, however often it is rounded for them."""
    monkeypatch.setitem(STEPS, "1", 0.0)
    monkeypatch.setitem(STEPS, "2", 0.0)
    monkeypatch.setitem(STEPS, "3", 0.0)
    found = loop(sites(), "int8", down, rounds=5).run(base)
    assert all(found[name].tobytes() == base[name].tobytes() for name in base)


def spoilt(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Callable[[PackingSite], Change]:
    """change: edits arrays and fields of an honest answer in place."""

    def wrap(site: PackingSite) -> Change:
        def answer(request: Payload) -> Payload:
            honest = site(request)
            arrays = {name: array.copy() for name, array in honest.arrays.items()}
            change(arrays, honest.fields)
            return Payload(arrays, honest.fields)

        return answer

    return wrap


BAD = {
    "is packed as fp32, expected int8": spoilt(lambda a, f: f.pop(EXCHANGE)),
    "is packed as bf16, expected int8": spoilt(lambda a, f: f[EXCHANGE].update(codec="bf16")),
    "packed by a codec that is not one of": spoilt(lambda a, f: f[EXCHANGE].update(codec="Maria")),
    "made from another base": spoilt(lambda a, f: f[EXCHANGE].update(base="0" * 64)),
    "not a fingerprint": spoilt(lambda a, f: f[EXCHANGE].update(base="Maria")),
    "does not say how it is packed": spoilt(lambda a, f: f.update({EXCHANGE: "int8"})),
    "model.a has shape (2, 4)": spoilt(lambda a, f: a.update({"model.a": a["model.a"][:2]})),
    "scales of model.a has shape (2,)": spoilt(
        lambda a, f: a.update({"scale:model.a": a["scale:model.a"][:2]})
    ),
    "scales of model.b are not finite": spoilt(lambda a, f: a["scale:model.b"].fill(np.nan)),
    "model.b holds a step below -127": spoilt(lambda a, f: a["model.b"].fill(-128)),
    "model.b holds NaN or infinity": spoilt(lambda a, f: a["scale:model.b"].fill(3e38)),
    "model.a has no scales": spoilt(lambda a, f: a.pop("scale:model.a")),
    "lacks 1 of the 2": spoilt(lambda a, f: (a.pop("model.a"), a.pop("scale:model.a"))),
    "not of the 2 expected ones": spoilt(lambda a, f: a.update({"Maria": a["model.a"]})),
    "passes the bound": spoilt(lambda a, f: a["scale:model.b"].fill(1e6)),
    "differs from its base by 128": spoilt(lambda a, f: a["scale:model.b"].fill(2.0)),
    "did not train model.b, which has changed": spoilt(lambda a, f: f.update(untrained=["model.b"])),
    "untrained tensors are not a list": spoilt(lambda a, f: f.update(untrained=[["model.b"], {}])),
    "answers round 0": spoilt(lambda a, f: f.update(round=0)),
}


@pytest.mark.parametrize("reason", list(BAD))
def test_a_malformed_update_is_quarantined_and_the_round_goes_on(
    reason: str, sites: Any, loop: Any, base: Arrays
) -> None:
    train = sites()
    running = loop({**train, "3": BAD[reason](train["3"])}, "int8", "bf16", rounds=1)
    found = running.run(base)
    for name, array in base.items():
        np.testing.assert_allclose(found[name], array + mean_step("1", "2"), atol=1e-5)
    (said,) = reasons(running)
    assert reason in said
    assert "Maria" not in said
    assert running.folder.history()[1]["sites"]["west"]["examples"] == 0


def test_a_site_is_told_which_of_its_updates_was_last_used(sites: Any, loop: Any, base: Arrays) -> None:
    train = sites()

    def west(request: Payload) -> Answer:
        answer = train["3"](request)
        if request.fields["round"] == 2:
            answer.arrays["scale:model.b"].fill(np.nan)
        return SiteFailure("gone") if request.fields["round"] == 4 else answer

    loop({**train, "3": west}, "int8", "bf16", rounds=5).run(base)
    told = {a: [request.fields[EXCHANGE]["taken"] for request in train[a].requests] for a in NAMES}
    assert told == {"1": [0, 1, 2, 3, 4], "2": [0, 1, 2, 3, 4], "3": [0, 1, 1, 3, 3]}


def whole(site: PackingSite) -> list[bool]:
    return [request.fields[EXCHANGE]["upon"] is None for request in site.requests]


def test_changes_are_sent_to_whoever_holds_the_base_and_the_whole_set_to_the_others(
    sites: Any, loop: Any, base: Arrays
) -> None:
    train = sites()

    def absent(request: Payload) -> Answer:
        return SiteFailure("gone") if request.fields["round"] == 2 else train["3"](request)

    def evaluate(address: str, payload: Payload) -> Answer:
        return SiteFailure("not asked here")

    running = loop({**train, "3": absent}, "int8", "int8", rounds=4, evaluate=evaluate)
    running.run(base)
    assert whole(train["1"]) == [True, False, False, False]
    assert whole(train["3"]) == [True, True, False]  # rounds 1, 3 and 4
    rows = running.folder.history()
    took_part = sum(site["bytes_down"] for site in rows[2]["sites"].values())
    assert rows[2]["bytes_down"] > took_part  # what went to a site that did not answer counts as well
    assert rows[2]["sites"]["west"]["bytes_down"] == 0  # it took no part


def test_a_site_that_lost_its_state_gets_the_whole_set_in_the_same_round(
    sites: Any, loop: Any, base: Arrays
) -> None:
    plain = loop(sites(), "int8", "int8", name="plain").run(base)
    train = sites()
    train["3"].forgetful = True
    running = loop(train, "int8", "int8")
    found = running.run(base)
    assert all(found[name].tobytes() == plain[name].tobytes() for name in base)
    assert reasons(running) == []
    assert whole(train["3"]) == [True, False, True, False, True]  # asked twice in rounds 2 and 3
    row = running.folder.history()[2]["sites"]
    assert row["west"]["bytes_down"] > row["north"]["bytes_down"] + sum(a.size * 2 for a in base.values())
    assert row["west"]["bytes_up"] > row["north"]["bytes_up"]


def test_a_site_that_is_never_satisfied_is_left_out(sites: Any, loop: Any, base: Arrays) -> None:
    train = sites()

    def never(request: Payload) -> Payload:
        return Payload(fields={"round": request.fields["round"], FULL_SET: True})

    running = loop({**train, "3": never}, "int8", "int8", rounds=2)
    running.run(base)
    assert reasons(running) == ["asks for the whole set, which it was sent"] * 2


def test_a_site_made_from_last_rounds_base_is_refused_in_any_codec(
    sites: Any, loop: Any, base: Arrays
) -> None:
    """The round number may be forged; the base may not."""
    for codec in ("fp32", "bf16", "int8"):
        train = sites(codec)
        kept: list[Payload] = []

        def replay(request: Payload, train: Any = train, kept: list[Payload] = kept) -> Payload:
            kept.append(train["3"](request))
            return Payload(kept[0].arrays, {**kept[0].fields, "round": request.fields["round"]})

        running = loop({**train, "3": replay}, codec, "bf16", rounds=2, name=codec)
        running.run(base)
        assert reasons(running) == ["is made from another base than this round's"]


@pytest.mark.parametrize("down", ["bf16", "int8"])
def test_a_model_that_no_codec_can_carry_ends_the_run(down: str, sites: Any, loop: Any, base: Arrays) -> None:
    with pytest.raises(RunError, match=r"the model cannot be sent: model.b holds a number"):
        loop(sites(), "int8", down).run({**base, "model.b": base["model.b"] * np.float32(np.inf)})


def test_the_last_evaluation_is_counted_apart_from_the_rounds(sites: Any, loop: Any, base: Arrays) -> None:
    running = loop(sites(), "int8", "bf16", rounds=2)
    running.run(base)
    rows = running.folder.history()
    assert [row["evaluation_bytes_down"] > 0 for row in rows] == [False, False, True]
    assert rows[2]["bytes_down"] == sum(site["bytes_down"] for site in rows[2]["sites"].values())
    assert rows[1]["bytes_down"] == rows[2]["bytes_down"]
