from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shared_model.exchange.base import change, changed, received, whole_set
from shared_model.exchange.codec import CodecError, shapes_of
from shared_model.exchange.coding import EXCHANGE, Coding, fingerprint
from shared_model.exchange.parameters import Arrays

HASH = "0123456789abcdef" * 4


def model(seed: int, size: float = 1.0) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        "w": (size * random.normal(size=(8, 5))).astype(np.float32),
        "b": (size * random.normal(size=7)).astype(np.float32),
        "one": np.asarray(size * random.normal(), dtype=np.float32),
    }


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


@pytest.mark.parametrize("codec", ["fp32", "bf16"])
def test_both_ends_hold_the_same_base_of_a_whole_set(codec: Any) -> None:
    wire, base = whole_set(model(0), codec)
    assert same(received(wire, codec, shapes_of(base)), base)
    assert same(base, model(0)) == (codec == "fp32")
    for name, array in base.items():
        np.testing.assert_allclose(array, model(0)[name], rtol=2**-8)


def test_changes_lead_both_ends_to_the_same_base_and_their_errors_do_not_add_up() -> None:
    master = model(0)
    _, at_coordinator = whole_set(master, "bf16")
    at_site = at_coordinator
    for number in range(1, 60):
        before = master
        master = {name: array + model(number, 1e-3)[name] for name, array in master.items()}
        wire, at_coordinator = change(master, at_coordinator)
        at_site = changed(at_site, wire)
        assert same(at_site, at_coordinator)
        whole, _ = whole_set(at_coordinator, "bf16")
        assert same(
            received(whole, "bf16", shapes_of(master)), at_coordinator
        )  # for whoever lacks the one before
        for name, array in at_site.items():
            largest = np.abs(master[name] - before[name]).max() + 2**-8 * np.abs(master[name]).max()
            bound = largest / 127 + 2**-8 * np.abs(master[name])
            assert (np.abs(array - master[name]) <= bound).all()


def test_a_change_or_a_set_that_lacks_a_tensor_is_refused() -> None:
    wire, _ = change(model(1), model(0))
    del wire["one"], wire["scale:one"]
    with pytest.raises(CodecError, match="the change of 2 tensors, expected 3"):
        changed(model(0), wire)
    whole, _ = whole_set(model(0), "bf16")
    del whole["one"]
    with pytest.raises(CodecError, match="holds 2 tensors, expected 3"):
        received(whole, "bf16", shapes_of(model(0)))


def test_a_fingerprint_follows_every_name_shape_and_bit_but_not_the_order() -> None:
    first = fingerprint(model(0))
    assert first == fingerprint(dict(reversed(model(0).items())))
    others = [
        {**model(0), "w": np.nextafter(model(0)["w"], np.float32(9))},
        {**model(0), "w": model(0)["w"].reshape(5, 8)},
        {"v": model(0)["w"], "b": model(0)["b"], "one": model(0)["one"]},
        {"w": model(0)["w"], "b": model(0)["b"]},
    ]
    assert len({first, *map(fingerprint, others)}) == 5


def test_what_a_message_says_of_itself_is_read_back() -> None:
    for coding in (Coding("int8", HASH, HASH[::-1], 3), Coding("fp32", HASH)):
        assert Coding.of({EXCHANGE: coding.to_field()}) == coding
    assert Coding.of({"round": 1}) is None


GOOD = Coding("int8", HASH, None, 0).to_field()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "how it is packed"),
        ("int8", "how it is packed"),
        ([], "how it is packed"),
        ({}, "how it is packed"),
        ({**GOOD, "patient": "Maria Silva"}, "how it is packed"),
        ({**GOOD, "codec": "int4"}, "not one of fp32, bf16, int8"),
        ({**GOOD, "codec": ["int8"]}, "not one of fp32"),
        ({**GOOD, "base": None}, "not a fingerprint"),
        ({**GOOD, "base": HASH[:-1]}, "not a fingerprint"),
        ({**GOOD, "base": HASH.upper()}, "not a fingerprint"),
        ({**GOOD, "upon": 7}, "not a fingerprint"),
        ({**GOOD, "taken": -1}, "names a round"),
        ({**GOOD, "taken": True}, "names a round"),
        ({**GOOD, "taken": 1.0}, "names a round"),
        ({**GOOD, "taken": "../../x"}, "names a round"),
    ],
)
def test_anything_else_is_refused_without_its_words(given: Any, words: str) -> None:
    with pytest.raises(CodecError, match=words) as caught:
        Coding.of({EXCHANGE: given})
    assert "Maria" not in str(caught.value)
    assert "int4" not in str(caught.value)
