from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared_model.exchange import FixedPointSum
from shared_model.exchange.fixed_point import LARGEST_DIFFERENCE, LARGEST_WEIGHT

VALUE = st.floats(-60, 60, width=32)
Floats = NDArray[np.float32]


def array(values: list[float]) -> dict[str, Floats]:
    return {"w": np.array(values, dtype=np.float32)}


def mean_of(base: dict[str, Floats], updates: list[tuple[dict[str, Floats], int]]) -> Floats:
    total = FixedPointSum(base)
    for update, weight in updates:
        total.add(update, weight)
    return total.mean()["w"]


@st.composite
def rounds(draw: st.DrawFn) -> tuple[dict[str, Floats], list[tuple[dict[str, Floats], int]], list[int]]:
    size = draw(st.integers(1, 4))
    vector = st.lists(VALUE, min_size=size, max_size=size)
    weight = st.integers(1, LARGEST_WEIGHT // 6)
    updates = draw(st.lists(st.tuples(vector.map(array), weight), min_size=1, max_size=6))
    return array(draw(vector)), updates, draw(st.permutations(range(len(updates))))


@settings(max_examples=200)
@given(rounds())
def test_the_mean_is_the_exact_one_whatever_the_order(
    case: tuple[dict[str, Floats], list[tuple[dict[str, Floats], int]], list[int]],
) -> None:
    base, updates, order = case
    found = mean_of(base, updates)
    assert found.tobytes() == mean_of(base, [updates[i] for i in order]).tobytes()
    total = sum(weight for _, weight in updates)
    for i, value in enumerate(found):
        exact = sum(Fraction(float(u["w"][i])) * weight for u, weight in updates) / total
        spacing = np.spacing(np.float32(max(abs(float(exact)), 2.0**-36)))
        assert abs(Fraction(float(value)) - exact) <= Fraction(float(spacing)) / 2 + Fraction(1, 2**35)


def test_a_single_update_comes_back_as_it_was() -> None:
    random = np.random.default_rng(0)
    base = {"w": random.normal(size=1000).astype(np.float32)}
    update = {"w": base["w"] + random.normal(size=1000).astype(np.float32)}
    np.testing.assert_allclose(mean_of(base, [(update, 7)]), update["w"], atol=2**-36, rtol=1e-7)
    assert np.array_equal(mean_of(base, [(base, 7)]), base["w"])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_allowed_differences_do_not_wrap(sign: int) -> None:
    """The sum of what is accepted at the stated bounds must fit in 64 bits."""
    base = array([0.0])
    near = array([sign * float(np.nextafter(np.float32(LARGEST_DIFFERENCE), np.float32(0)))])
    assert np.array_equal(mean_of(base, [(near, LARGEST_WEIGHT)]), near["w"])
    assert np.array_equal(mean_of(base, [(near, LARGEST_WEIGHT // 2)] * 2), near["w"])
    for start in (0.0, sign * 1e-13):  # the second is below the bound until it is rounded
        with pytest.raises(OverflowError):
            FixedPointSum(array([start])).add(array([sign * LARGEST_DIFFERENCE]), LARGEST_WEIGHT)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, LARGEST_DIFFERENCE + 1])
def test_what_would_overflow_is_refused_and_leaves_the_sum_alone(value: float) -> None:
    base = {"a": np.zeros(3, dtype=np.float32), "b": np.zeros(3, dtype=np.float32)}
    good = {"a": np.ones(3, dtype=np.float32), "b": np.ones(3, dtype=np.float32)}
    total = FixedPointSum(base)
    total.add(good, 2)
    bad = {"a": good["a"], "b": np.array([0, value, 0], dtype=np.float32)}
    with pytest.raises(OverflowError, match="b differs from its base"):
        total.add(bad, 1)
    assert total.weight == 2
    assert all(np.array_equal(total.mean()[name], good[name]) for name in base)


@pytest.mark.parametrize("weight", [0, -9, LARGEST_WEIGHT + 1, 10**9])
def test_an_impossible_weight_is_refused(weight: int) -> None:
    total = FixedPointSum(array([0.0]))
    with pytest.raises(OverflowError, match="weights must be positive"):
        total.add(array([1.0]), weight)
    total.add(array([1.0]), LARGEST_WEIGHT)
    with pytest.raises(OverflowError):
        total.add(array([1.0]), 1)


def test_the_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        FixedPointSum(array([0.0])).mean()


def test_empty_and_scalar_tensors_are_summed() -> None:
    base = {"none": np.zeros((0, 2), dtype=np.float32), "one": np.float32(1).reshape(())}
    total = FixedPointSum(base)
    total.add({"none": base["none"], "one": np.float32(3).reshape(())}, 4)
    assert total.mean()["none"].shape == (0, 2)
    assert isinstance(total.mean()["one"], np.ndarray)  # a NumPy scalar could not travel
    assert total.mean()["one"].shape == ()
    assert float(total.mean()["one"]) == 3


def test_a_tensor_is_averaged_over_those_who_trained_it() -> None:
    """A hospital without notes sends the text encoder back as it came; that must not halve the others' step."""
    base = {"image": np.zeros(2, dtype=np.float32), "text": np.ones(2, dtype=np.float32)}
    total = FixedPointSum(base)
    total.add({"image": base["image"] + 1, "text": base["text"] + 3}, 10)
    total.add({"image": base["image"] + 4, "text": base["text"]}, 20, without=["text"])
    assert total.mean()["image"].tolist() == [3, 3]
    assert total.mean()["text"].tolist() == [4, 4]


def test_a_tensor_that_nobody_trained_is_as_it_was() -> None:
    base = array([0.1, -0.2])
    total = FixedPointSum(base)
    total.add(base, 3, without=["w"])
    assert total.mean()["w"].tobytes() == base["w"].tobytes()
