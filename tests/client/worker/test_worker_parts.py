from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from client.worker import parts
from client.worker.parts import from_parts, to_parts
from client.worker.worker_pb2 import Header, Part, Tensor
from shared_model.errors import DataError
from shared_model.exchange import Payload

ONE = st.one_of(
    arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    for kind in (np.float32, np.uint16, np.int8)
)


@given(st.dictionaries(st.text(max_size=8), ONE, max_size=5), st.dictionaries(st.text(), st.integers()))
def test_what_goes_in_comes_out(tensors: dict, fields: dict) -> None:
    found = from_parts(to_parts(Payload(tensors, fields)), 1 << 20)
    assert found.fields == fields
    assert list(found.arrays) == list(tensors)
    for name, array in tensors.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_large_tensors_travel_in_chunks_that_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CHUNK", 7)
    tensors = {"a": np.arange(20, dtype=np.float32), "b": np.arange(3, dtype=np.int8)}
    sent = list(to_parts(Payload(tensors)))
    assert max(len(part.data) for part in sent) == 7
    joined = [sent[0], Part(data=b"".join(part.data for part in sent[1:]))]
    for stream in (sent, joined):
        found = from_parts(stream, 83)
        assert all((found.arrays[name] == tensors[name]).all() for name in tensors)


def test_a_column_major_tensor_arrives_as_it_was() -> None:
    array = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert (from_parts(to_parts(Payload({"a": array})), 24).arrays["a"] == array).all()


@pytest.mark.parametrize(
    "tensors",
    [
        [("a", "float32", [1 << 62, 0])],  # nothing to send, and no such array
        [("a", "float32", [7])],
        [("a", "int8", [1]), ("a", "int8", [1])],
        [("a", "float64", [1])],
        [("a", "O", [1])],
        [("a", "float32", [1] * 9)],
        [(str(number), "int8", [0]) for number in range(20_001)],
    ],
)
def test_what_cannot_be_ours_is_refused_before_memory_is_taken(tensors: list) -> None:
    header = Header(fields="{}", tensors=[Tensor(name=n, dtype=d, shape=s) for n, d, s in tensors])
    with pytest.raises(DataError, match="cannot be read"):
        from_parts([Part(header=header)], 24)


def test_numbers_of_a_type_that_never_travels_are_not_sent() -> None:
    with pytest.raises(DataError, match="float64"):
        list(to_parts(Payload({"a": np.zeros(2)})))
