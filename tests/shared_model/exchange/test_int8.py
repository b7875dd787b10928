from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from shared_model.exchange.bf16 import from_bf16, to_bf16
from shared_model.exchange.int8 import STEPS, channels, dequantise, quantise

Floats = NDArray[np.float32]
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
ANY = arrays(np.float32, SHAPES, elements=st.floats(-(2.0**127), 2.0**127, width=32))
USUAL = arrays(np.float32, SHAPES, elements=st.floats(-2, 2, width=32, allow_subnormal=False))


def errors_in_steps(array: Floats, random: np.random.Generator | None) -> Floats:
    """|decoded - array| in units of each channel's scale, a row a channel."""
    steps, scale = quantise(array, random)
    assert steps.shape == array.shape
    assert scale.shape == (channels(array.shape),)
    assert steps.size == 0 or -STEPS <= steps.min() <= steps.max() <= STEPS
    if not array.size:
        return array
    off = np.abs(dequantise(steps, scale).astype(np.float64) - array).reshape(len(scale), -1)
    return np.divide(off, scale[:, None], out=np.zeros_like(off), where=scale[:, None] > 0)


@settings(max_examples=200, deadline=None)
@given(ANY, st.integers(0, 9))
def test_no_number_moves_by_more_than_its_channels_step(array: Floats, seed: int) -> None:
    slack = 1e-4  # of fp32's own rounding, at 127 steps
    assert (errors_in_steps(array, np.random.default_rng(seed)) <= 1 + slack).all()
    assert (errors_in_steps(array, None) <= 0.5 + slack).all()


@settings(max_examples=100, deadline=None)
@given(USUAL)
def test_a_channels_step_is_its_largest_number_over_127(array: Floats) -> None:
    steps, scale = quantise(array)
    largest = (
        np.abs(array).reshape(len(scale), -1).max(axis=1, initial=0) if array.size else np.zeros(len(scale))
    )
    np.testing.assert_allclose(scale[largest > 1e-30], (largest / STEPS)[largest > 1e-30], rtol=1e-6)
    assert not scale[largest == 0].any()
    assert not dequantise(steps, scale)[array == 0].any()  # nothing comes out of nothing


@pytest.mark.parametrize("largest", [1.0, 3e-5, 2e-38, 1e-44])
def test_stochastic_rounding_is_right_on_average(largest: float) -> None:
    array = np.linspace(-largest, largest, 41, dtype=np.float32)
    count = 4000
    tiled = np.broadcast_to(array, (count, 41)).copy()
    steps, scale = quantise(tiled, np.random.default_rng(0))
    mean = dequantise(steps, scale).astype(np.float64).mean(axis=0)
    # A number between two steps has a standard deviation of at most half a step.
    assert (np.abs(mean - array) <= 5 * 0.5 * scale[0] / count**0.5 + 1e-6 * scale[0]).all()


def test_the_same_generator_rounds_the_same_way() -> None:
    array = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)
    a, b, c = (quantise(array, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_each_output_has_a_scale_of_its_own() -> None:
    array = np.array([[1.01e-6, -2e-6], [100.0, 50.1], [0.0, 0.0]], dtype=np.float32)
    steps, scale = quantise(array)
    np.testing.assert_allclose(dequantise(steps, scale), array, rtol=1e-2)
    assert steps.tolist() == [[64, -127], [127, 64], [0, 0]]


@settings(max_examples=200)
@given(ANY)
def test_bf16_keeps_eight_bits_of_every_number(array: Floats) -> None:
    bits = to_bf16(array)
    found = from_bf16(bits)
    assert bits.dtype == np.uint16
    assert found.dtype == np.float32
    assert found.shape == array.shape
    off = np.abs(found.astype(np.float64) - array)
    assert (off <= np.maximum(np.abs(array.astype(np.float64)) * 2.0**-8, 2.0**-133)).all()
    assert to_bf16(found).tobytes() == bits.tobytes()  # rounding again changes nothing


def test_bf16_of_what_is_no_number_stays_none() -> None:
    found = from_bf16(to_bf16(np.array([np.nan, np.inf, -np.inf, 3.4e38], dtype=np.float32)))
    assert np.isnan(found[0])
    assert np.isinf(found[1:]).all()
