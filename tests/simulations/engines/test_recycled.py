"""Memory of a copy is used again only when nobody can read it any more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_model.held_array import arrays_held, record_of
from simulations.engines.recycled import Recycled


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_a_copy_is_equal_writable_and_apart(shape: tuple[int, ...], dtype: type) -> None:
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    copy = Recycled().copy(array)
    assert (copy.dtype, copy.shape, copy.tolist()) == (array.dtype, array.shape, array.tolist())
    copy[...] = 2
    assert np.all(array == 1)


def test_memory_comes_back_when_the_last_reference_goes() -> None:
    memory, array = Recycled(), np.ones(1000)
    first = memory.copy(array)
    place = first.ctypes.data
    del first
    assert memory.copy(array).ctypes.data == place


@pytest.mark.parametrize("hold", [lambda a: a[3:].view(), lambda a: torch.from_numpy(a)[:5], memoryview])
def test_whatever_reads_it_keeps_it(hold: object) -> None:
    memory, array = Recycled(), np.arange(1000.0)
    first = memory.copy(array)
    held = hold(first)  # type: ignore[operator]
    before = list(held)
    del first
    second = memory.copy(-array)
    assert second[-1] == -999
    assert [float(value) for value in held] == [float(value) for value in before]


def test_a_message_keeps_it() -> None:
    memory = Recycled()
    with arrays_held():
        record = record_of({"w": memory.copy(np.ones(100))})
    memory.copy(np.zeros(100))
    assert record["w"].numpy().sum() == 100


def test_two_at_a_time_are_all_it_takes_for_many_in_turn() -> None:
    memory, places = Recycled(), set()
    held = memory.copy(np.zeros(100))
    for value in range(50):
        held = memory.copy(np.full(100, float(value)))
        places.add(held.ctypes.data)
        assert held[7] == value
    assert len(places) == 2
