from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.vault import Vault
from client.worker.exchange import HELD, SiteExchange
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import Coding, Payload, fingerprint
from shared_model.exchange.base import change, whole_set
from shared_model.exchange.codec import shapes_of
from shared_model.exchange.coding import EXCHANGE
from shared_model.exchange.parameters import Arrays

VAULT = Vault(bytes(range(32)))
MakeSite = Callable[..., SiteExchange]


def model(seed: int, size: float = 1.0) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        "w": (size * random.normal(size=(4, 6))).astype(np.float32),
        "b": (size * random.normal(size=5)).astype(np.float32),
    }


SHAPES = shapes_of(model(0))


@pytest.fixture
def site(tmp_path: Path, small_config: Callable[..., Config]) -> MakeSite:
    def make(
        up: str = "int8", down: str = "bf16", *overrides: str, vault: Vault | None = None
    ) -> SiteExchange:
        config = small_config(f"exchange={{uplink='{up}', downlink='{down}'}}", *overrides)
        return SiteExchange("north", config, tmp_path / "run-1", vault)

    return make


def whole(arrays: Arrays, taken: int = 0, codec: Any = "bf16") -> tuple[Payload, Arrays]:
    wire, base = whole_set(arrays, codec)
    return Payload(wire, {EXCHANGE: Coding(codec, fingerprint(base), None, taken).to_field()}), base


def changing(arrays: Arrays, held: Arrays) -> tuple[Payload, Arrays]:
    wire, base = change(arrays, held)
    return Payload(wire, {EXCHANGE: Coding("int8", fingerprint(base), fingerprint(held)).to_field()}), base


def same(a: Arrays | None, b: Arrays) -> bool:
    return a is not None and set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in b)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "run-1").glob("*"))


def test_a_coordinator_that_packs_nothing_is_answered_unpacked(site: MakeSite, tmp_path: Path) -> None:
    found = site().receive(Payload(model(0)), SHAPES)
    assert same(found, model(0))
    answer = site().update(Payload(model(0)), {"round": 1}, model(0), model(1))
    assert same(answer.arrays, model(1))
    assert answer.fields == {"round": 1}
    assert kept(tmp_path) == []


@pytest.mark.parametrize("codec", ["fp32", "bf16"])
def test_the_base_is_what_arrived(codec: Any, site: MakeSite) -> None:
    request, base = whole(model(0), codec=codec)
    assert same(site().receive(request, SHAPES), base)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a, c: c.update(codec="int4"), "packed by a codec that is not one of"),
        (lambda a, c: c.update(base="0" * 64), "holds other tensors than it says"),
        (lambda a, c: c.update(taken=-1), "names a round"),
        (lambda a, c: a.pop("w"), "holds 1 tensors, expected 2"),
        (lambda a, c: a.update(x=a["w"]), "not of the 2 expected ones"),
        (lambda a, c: a.update(w=a["w"][:3]), r"w has shape \(3, 6\)"),
        (lambda a, c: a.update(w=a["w"].view(np.int16)), "w is int16"),
        (lambda a, c: a["b"].fill(0x7FC0), "b holds NaN"),
        (lambda a, c: c.update(codec="fp32"), "w is uint16, expected float32"),
        (lambda a, c: c.update(codec="int8"), "w has no scales"),
    ],
)
def test_a_message_that_cannot_be_used_is_named(
    spoil: Any, words: str, site: MakeSite, tmp_path: Path
) -> None:
    request, _ = whole(model(0))
    arrays = {name: array.copy() for name, array in request.arrays.items()}
    spoil(arrays, request.fields[EXCHANGE])
    with pytest.raises(DataError, match=rf"the coordinator's message cannot be used \(.*{words}"):
        site(down="int8").receive(Payload(arrays, request.fields), SHAPES)
    assert kept(tmp_path) == []


def test_bits_without_a_word_on_their_packing_are_not_taken_for_numbers(site: MakeSite) -> None:
    request, _ = whole(model(0))
    with pytest.raises(DataError, match="uint16, expected float32"):
        site().receive(Payload(request.arrays), SHAPES)


def test_a_change_is_made_to_what_the_site_holds_and_only_once(site: MakeSite) -> None:
    request, base = whole(model(0))
    assert same(site("int8", "int8").receive(request, SHAPES), base)
    for seed in (1, 2):
        request, base = changing(model(seed), base)
        assert same(site("int8", "int8").receive(request, SHAPES), base)
        assert same(site("int8", "int8").receive(request, SHAPES), base)  # asked again, after a restart


@pytest.mark.parametrize("what", ["nothing", "lost", "damaged", "altered", "another base", "another model"])
def test_a_site_that_does_not_hold_the_set_asks_for_the_whole(
    what: str, site: MakeSite, tmp_path: Path
) -> None:
    vault = VAULT if what == "altered" else None
    if what != "nothing":
        request, _ = whole(model(7) if what == "another base" else model(0))
        shapes = SHAPES
        if what == "another model":
            request, _ = whole({"w": model(0)["w"]})
            shapes = {"w": (4, 6)}
        site("int8", "int8", vault=vault).receive(request, shapes)
    path = tmp_path / "run-1" / HELD
    if what == "lost":
        path.unlink()
    if what in ("damaged", "altered"):
        content = bytearray(path.read_bytes())
        content[-9 if what == "altered" else 3] ^= 1
        path.write_bytes(content)
    request, _ = changing(model(1), whole(model(0))[1])
    assert site("int8", "int8", vault=vault).receive(request, SHAPES) is None


def test_a_change_that_does_not_lead_to_the_announced_base_asks_for_the_whole(site: MakeSite) -> None:
    request, base = whole(model(0))
    site("int8", "int8").receive(request, SHAPES)
    request, _ = changing(model(1), base)
    request.fields[EXCHANGE]["base"] = "0" * 64
    assert site("int8", "int8").receive(request, SHAPES) is None


def trained(site: SiteExchange, number: int, taken: int, base: Arrays, seed: int = 0) -> Payload:
    moved = {name: array + model(100 + seed + number, 1e-2)[name] for name, array in base.items()}
    request, _ = whole(base, taken)
    return site.update(request, {"round": number}, base, moved)


def test_a_round_asked_again_is_packed_to_the_same_bytes(site: MakeSite) -> None:
    _, base = whole(model(0))
    trained(site(), 1, 0, base)
    first = trained(site(), 2, 1, base)
    again = trained(site(), 2, 1, base)
    assert same(again.arrays, first.arrays)
    without = trained(site(), 2, 0, base)  # as if round 1's had not been used
    assert not same(without.arrays, first.arrays)


def test_what_is_owed_is_what_was_owed_after_the_last_update_that_was_used(
    site: MakeSite, tmp_path: Path
) -> None:
    _, base = whole(model(0))
    trained(site(), 1, 0, base)
    straight = trained(site(), 3, 1, base)
    trained(site(), 2, 1, base)  # refused
    assert kept(tmp_path) == ["owed-1.safetensors", "owed-2.safetensors"]
    assert same(trained(site(), 3, 1, base).arrays, straight.arrays)
    assert kept(tmp_path) == ["owed-1.safetensors", "owed-3.safetensors"]
    trained(site(), 4, 3, base)
    assert kept(tmp_path) == ["owed-3.safetensors", "owed-4.safetensors"]


@pytest.mark.parametrize("what", ["lost", "damaged", "of another model", "of a round to come"])
def test_a_site_that_cannot_know_what_it_owes_owes_nothing(what: str, site: MakeSite, tmp_path: Path) -> None:
    _, base = whole(model(0))
    fresh = trained(site(), 2, 0, base)
    trained(site(), 1, 0, base)
    path = tmp_path / "run-1" / "owed-1.safetensors"
    if what == "lost":
        path.unlink()
    if what == "damaged":
        path.write_bytes(b"\0" * 30)
    if what == "of another model":
        site().update(whole({"w": base["b"]})[0], {"round": 1}, {"w": base["b"]}, {"w": 2 * base["b"]})
    found = trained(site(), 2, 2 if what == "of a round to come" else 1, base)
    assert same(found.arrays, fresh.arrays)


def test_both_roundings_can_be_switched_off(site: MakeSite, tmp_path: Path) -> None:
    _, base = whole(model(0))
    off = ("exchange.error_feedback=false", "exchange.stochastic_rounding=false")
    nearest = trained(site("int8", "bf16", *off), 1, 0, base)
    assert kept(tmp_path) == []
    assert not same(nearest.arrays, trained(site(), 1, 0, base).arrays)
    assert same(nearest.arrays, trained(site("int8", "bf16", *off, "seed=9"), 1, 0, base).arrays)


def test_what_is_kept_is_sealed_and_readable_by_one_user(site: MakeSite, tmp_path: Path) -> None:
    request, base = whole(model(0))
    sealed = site("int8", "int8", vault=VAULT)
    sealed.receive(request, SHAPES)
    trained(sealed, 1, 0, base)
    files = list((tmp_path / "run-1").iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert len(files) == 2
    assert not any(b'"w"' in path.read_bytes() for path in files)  # safetensors' header would name it


def test_an_update_that_is_no_number_is_named_and_leaves_no_trace(site: MakeSite, tmp_path: Path) -> None:
    request, base = whole(model(0))
    with pytest.raises(
        DataError, match=r"the update cannot be packed: b holds a number that int8 cannot carry"
    ):
        site().update(request, {"round": 1}, base, {**base, "b": base["b"] * np.float32(np.nan)})
    assert kept(tmp_path) == []
