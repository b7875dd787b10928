from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.exchange.codec import CodecError, Randoms, Wire, pack, unpack
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update, unpack_update
from shared_model.randomness import numpy_generator

CODECS = ("bf16", "int8")


def tensors(seed: int, size: float = 1.0) -> Arrays:
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "w": (4, 6),
        "conv": (3, 2, 2, 2),
        "b": (5,),
        "one": (),
        "none": (0, 3),
    }
    return {
        name: np.asarray(size * random.normal(size=shape), dtype=np.float32) for name, shape in shapes.items()
    }


def moved(base: Arrays, by: Arrays) -> Arrays:
    return {name: np.asarray(base[name] + by[name]) for name in base}


def randoms(number: int) -> Randoms:
    return lambda name: numpy_generator(0, "rounding", "north", number, name)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("stochastic", [True, False])
def test_an_update_arrives_to_within_its_rounding(codec: Any, stochastic: bool) -> None:
    base, change = tensors(0), tensors(1, 1e-2)
    wire, owed = pack_update(
        moved(base, change), base, codec, owed={}, randoms=randoms(1) if stochastic else None
    )
    found = unpack_update(wire, codec, base)
    for name in base:
        largest = np.abs(change[name]).max(initial=0)
        bound = largest * (2**-8 if codec == "bf16" else 1 / 127) + 1e-6
        np.testing.assert_allclose(found[name], base[name] + change[name], atol=bound, rtol=0)
        np.testing.assert_allclose(found[name] + owed[name], base[name] + change[name], atol=3e-7, rtol=0)
        assert owed[name].shape == base[name].shape


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CODECS), st.booleans())
def test_with_error_feedback_the_sum_of_what_arrives_stays_within_one_rounding(
    seed: int, codec: Any, stochastic: bool
) -> None:
    """Without it the error grows with the rounds; with it what is missing is what is owed, however long it goes on."""
    base, sizes = tensors(seed), np.random.default_rng(seed).lognormal(-5, 1, size=40)
    owed: Arrays = {}
    sent = {name: np.zeros(array.shape) for name, array in base.items()}
    meant = {name: np.zeros(array.shape) for name, array in base.items()}
    for number, size in enumerate(sizes, 1):
        trained = moved(base, tensors(seed + number, size))
        wire, owed = pack_update(
            trained, base, codec, owed=owed, randoms=randoms(number) if stochastic else None
        )
        arrived = unpack_update(wire, codec, base)
        for name in base:
            sent[name] += arrived[name].astype(np.float64) - base[name]
            meant[name] += trained[name].astype(np.float64) - base[name]
        base = arrived
    for name in base:
        np.testing.assert_allclose(sent[name] + owed[name], meant[name], atol=len(sizes) * 1e-6, rtol=0)
        assert np.abs(owed[name]).max(initial=0) <= 8 * sizes.max() * (
            2**-8 if codec == "bf16" else 1.1 / 127
        )


def test_a_step_too_small_for_one_rounding_arrives_in_the_end() -> None:
    """Beside a large neighbour, a steady small change rounds to nothing every time, and is lost without feedback."""
    base = {"w": np.zeros(2, dtype=np.float32)}
    step = np.array([1.0, 1e-3], dtype=np.float32)
    arrived = {True: np.zeros(2), False: np.zeros(2)}
    for feedback in arrived:
        owed: Arrays = {}
        for _ in range(300):
            wire, left = pack_update({"w": step}, base, "int8", owed=owed)
            owed = left if feedback else {}
            arrived[feedback] += unpack_update(wire, "int8", base)["w"]
    np.testing.assert_allclose(arrived[True], 300 * step, atol=1 / 127)
    assert arrived[False][1] == 0


def test_what_was_not_trained_does_not_travel_and_stays_owed() -> None:
    base, owed = tensors(0), {"w": np.full((4, 6), 0.25, dtype=np.float32)}
    trained = {**moved(base, tensors(1)), "w": base["w"]}
    wire, left = pack_update(trained, base, "int8", owed=owed, idle=["w"])
    assert "w" not in wire
    assert "scale:w" not in wire
    assert np.array_equal(left["w"], owed["w"])
    found = unpack_update(wire, "int8", base, idle=["w"])
    assert found["w"].tobytes() == base["w"].tobytes()
    with pytest.raises(CodecError, match="lacks 1 of the 5 expected"):
        unpack_update(wire, "int8", base)


def test_fp32_is_sent_as_it_is() -> None:
    base, trained = tensors(0), tensors(1)
    wire, owed = pack_update(trained, base, "fp32", owed={"w": trained["w"]}, idle=["w"])
    assert owed == {}
    assert all(wire[name] is trained[name] for name in trained)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.4e38])
def test_an_update_that_no_codec_can_carry_is_named(codec: Any, value: float) -> None:
    base = tensors(0)
    trained = {**base, "b": np.full(5, value, dtype=np.float32)}
    with pytest.raises(CodecError, match=f"b holds a number that {codec} cannot carry"):
        pack_update(trained, base, codec, owed={})


Mutation = Callable[[Wire], Wire]
MUTATIONS: dict[str, tuple[str, Mutation, str]] = {
    "too few scales": ("int8", lambda w: {**w, "scale:w": w["scale:w"][:3]}, "scales of w has shape"),
    "a scale too many": ("int8", lambda w: {**w, "scale:b": np.ones(2, np.float32)}, "scales of b has shape"),
    "NaN scale": ("int8", lambda w: {**w, "scale:w": w["scale:w"] * np.float32("nan")}, "not finite numbers from 0"),
    "infinite scale": ("int8", lambda w: {**w, "scale:w": w["scale:w"] + np.float32("inf")}, "not finite numbers"),
    "negative scale": ("int8", lambda w: {**w, "scale:w": -w["scale:w"]}, "not finite numbers from 0"),
    "float64 scales": ("int8", lambda w: {**w, "scale:w": w["scale:w"].astype(float)}, "float64, expected float32"),
    "no scales": ("int8", lambda w: {k: v for k, v in w.items() if k != "scale:w"}, "w has no scales"),
    "no steps": ("int8", lambda w: {k: v for k, v in w.items() if k != "w"}, "w has scales and no steps"),
    "a step of -128": ("int8", lambda w: {**w, "w": np.full((4, 6), -128, np.int8)}, "w holds a step below -127"),
    "overflow": ("int8", lambda w: {**w, "scale:w": np.full(4, 3e38, np.float32)}, "w holds NaN or infinity"),
    "short": ("int8", lambda w: {**w, "w": w["w"][:3]}, r"w has shape \(3, 6\), expected \(4, 6\)"),
    "broadcasting": ("int8", lambda w: {**w, "w": w["w"][:1]}, r"w has shape \(1, 6\)"),
    "flat": ("int8", lambda w: {**w, "w": w["w"].ravel()}, r"w has shape \(24,\)"),
    "other bytes": ("int8", lambda w: {**w, "w": w["w"].view(np.uint8)}, "w is uint8, expected int8"),
    "text": ("int8", lambda w: {**w, "w": np.full((4, 6), "x")}, "w is <U1, expected int8"),
    "a missing tensor": ("int8", lambda w: {k: v for k, v in w.items() if not k.endswith("w")}, "lacks 1 of the 5"),
    "an unknown tensor": ("int8", lambda w: {**w, "Maria Silva": w["w"]}, "not of the 5 expected ones$"),
    "scales of nothing": ("int8", lambda w: {**w, "scale:x": w["scale:w"]}, "not of the 5 expected ones$"),
    "bf16 NaN": ("bf16", lambda w: {**w, "w": np.full((4, 6), 0x7FC0, np.uint16)}, "w holds NaN or infinity"),
    "bf16 infinity": ("bf16", lambda w: {**w, "w": np.full((4, 6), 0xFF80, np.uint16)}, "w holds NaN or infinity"),
    "bf16 as int16": ("bf16", lambda w: {**w, "w": w["w"].view(np.int16)}, "w is int16, expected uint16"),
    "bf16 short": ("bf16", lambda w: {**w, "b": w["b"][:4]}, r"b has shape \(4,\)"),
    "bf16 with scales": ("bf16", lambda w: {**w, "scale:w": np.ones(4, np.float32)}, "not of the 5 expected ones$"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_malformed_update_is_refused_by_name(name: str) -> None:
    codec: Any
    codec, change, words = MUTATIONS[name]
    base = tensors(0)
    wire, _ = pack_update(moved(base, tensors(1)), base, codec, owed={})
    unpack_update(wire, codec, base)
    with pytest.raises(CodecError, match=words) as caught:
        unpack_update(change(dict(wire)), codec, base)
    assert "Maria" not in str(caught.value)


def test_a_change_that_only_overflows_on_its_base_is_refused() -> None:
    base = {"w": np.full(1, 3e38, dtype=np.float32)}
    wire = pack({"w": np.full(1, 3e38, dtype=np.float32)}, "int8")
    with pytest.raises(CodecError, match="w overflows"):
        unpack_update(wire, "int8", base)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_bytes_arrive_unpacking_refuses_or_gives_finite_tensors_of_the_expected_shapes(
    data: st.DataObject,
) -> None:
    shapes = {"w": (2, 2), "b": (3,)}
    kinds = st.sampled_from([np.int8, np.uint8, np.uint16, np.float32, np.float64, np.int64])
    some_shape = st.sampled_from([(2, 2), (3,), (2,), (1,), (), (0,), (4,)])

    def one(kind: Any, shape: tuple[int, ...]) -> Any:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        return np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), dtype=kind).reshape(shape)

    names = data.draw(st.sets(st.sampled_from(["w", "b", "scale:w", "scale:b", "x"]), max_size=5))
    wire = {name: one(data.draw(kinds), data.draw(some_shape)) for name in sorted(names)}
    for codec in ("fp32", "bf16", "int8"):
        try:
            found = unpack(wire, codec, shapes)  # type: ignore[arg-type]
        except CodecError:
            continue
        for name, array in found.items():
            assert array.dtype == np.float32
            assert array.shape == shapes[name]
            assert np.isfinite(array).all()
