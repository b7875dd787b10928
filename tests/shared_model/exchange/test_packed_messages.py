from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared_model.exchange import Payload
from shared_model.exchange.packed import PACKED, opened, packed

ONE = st.one_of(
    arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    for kind in (np.float32, np.uint16, np.int8)
)


@given(st.dictionaries(st.text(max_size=8), ONE, max_size=5))
def test_what_goes_in_comes_out_byte_for_byte(tensors: dict[str, np.ndarray]) -> None:
    sent = packed(Payload(tensors, {"round": 1}))
    assert set(sent.arrays) == ({PACKED} if tensors else set())
    found = opened(sent)
    assert (found.fields, list(found.arrays)) == ({"round": 1}, list(tensors))
    for name, array in tensors.items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (array.dtype, array.shape)
        assert found.arrays[name].tobytes() == array.tobytes()
        assert found.arrays[name].flags.aligned


def test_a_message_that_is_not_packed_stays_as_it_is() -> None:
    plain = Payload({"a": np.zeros(3, np.float32)}, {"x": 1})
    assert opened(plain) is plain


BYTES = np.zeros(16, np.uint8)
BROKEN: list[tuple[Any, dict[str, np.ndarray]]] = [
    ([["a", "float32", [4]]], {}),
    ([["a", "float32", [4]]], {PACKED: BYTES, "b": BYTES}),
    ([["a", "float32", [4]]], {PACKED: BYTES.astype(np.float32)}),
    ([["a", "float32", [4]]], {PACKED: BYTES.reshape(4, 4)}),
    ([["a", "float32", [9]]], {PACKED: BYTES}),
    ([["a", "float32", [1]]], {PACKED: BYTES}),
    ([["a", "float32", [2]], ["a", "float32", [2]]], {PACKED: BYTES}),
    ([["a", "float64", [2]]], {PACKED: BYTES}),
    ([["a", "float32", [-4]]], {PACKED: BYTES}),
    ([["a", "float32", [True]]], {PACKED: BYTES}),
    ([["a", "float32", [1 << 40, 0]]], {PACKED: BYTES}),
    ([["a", "float32", 4]], {PACKED: BYTES}),
    ([["a", ["float32"], [4]]], {PACKED: BYTES}),
    ([[1, "float32", [4]]], {PACKED: BYTES}),
    (["a"], {PACKED: BYTES}),
    ("a", {PACKED: BYTES}),
    (None, {PACKED: BYTES}),
]


@pytest.mark.parametrize(("index", "tensors"), BROKEN)
def test_what_is_malformed_is_refused(index: Any, tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="a packed message"):
        opened(Payload(tensors, {PACKED: index}))
