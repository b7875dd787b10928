from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.exchange import Payload
from shared_model.exchange.flower_records import from_records, to_records

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.integers(0, 1000))
def test_a_payload_travels_through_flower_unchanged(fields: dict[str, Any], seed: int) -> None:
    random = np.random.default_rng(seed)
    arrays = {
        "model.a": random.normal(size=(2, 3)).astype(np.float32),
        "model.b": np.array(random.normal(), dtype=np.float32),
        "model.c": np.zeros((0, 2), dtype=np.float32),
    }
    found = from_records(to_records(Payload(arrays, fields)))
    assert found.fields == fields
    assert list(found.arrays) == list(arrays)
    for name, array in arrays.items():
        assert found.arrays[name].dtype == np.float32
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_an_empty_payload_travels() -> None:
    assert from_records(to_records(Payload())) == Payload()


def test_bytes_are_counted_without_framing() -> None:
    payload = Payload({"a": np.zeros((2, 3), dtype=np.float32)}, {"b": "é"})
    assert payload.nbytes == 24 + len(json.dumps({"b": "é"}, separators=(",", ":")))


def test_a_value_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_records(Payload(fields={"loss": float("nan")}))


def arrays() -> ArrayRecord:
    return ArrayRecord({"a": Array(np.zeros(1, dtype=np.float32))})


def npy(save: Callable[..., None] = np.save) -> bytes:
    stream = io.BytesIO()
    save(stream, np.arange(3, dtype=np.float32))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",  # the first bytes of a zip archive
        npy(np.savez),
        npy()[:7],
        npy()[:-1],
        npy().replace(b"(3,)", b"(3,("),
        npy().replace(b"(3,)", b"(-3)"),
        npy().replace(b"<f4", b"|O8"),
        npy().replace(b"{", b"("),
        npy().replace(b"'descr'", b"'descr "),
        b"cos\nsystem\n(S'true'\ntR.",
    ],
)
def test_broken_bytes_of_an_array_are_a_value_error(data: bytes) -> None:
    array = Array("float32", (3,), "numpy.ndarray", data)
    records = RecordDict({"arrays": ArrayRecord({"a": array}), "fields": ConfigRecord({"json": "{}"})})
    with pytest.raises(ValueError, match="array"):
        from_records(records)


@pytest.mark.parametrize(
    "records",
    [
        RecordDict(),
        RecordDict({"arrays": arrays()}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({})}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({"json": "[1]"})}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({"json": "{"})}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({"json": '{"loss": NaN}'})}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({"json": '{"loss": 1e999}'})}),
        RecordDict({"arrays": arrays(), "fields": ConfigRecord({"json": "[" * 100_000})}),
        RecordDict(
            {
                "arrays": ArrayRecord({"a": Array("float32", (1,), "numpy.ndarray", b"not an array")}),
                "fields": ConfigRecord({"json": "{}"}),
            }
        ),
        RecordDict(
            {
                "arrays": ArrayRecord({"a": Array("float32", (1,), "pickle", b"cos\nsystem\n")}),
                "fields": ConfigRecord({"json": "{}"}),
            }
        ),
    ],
)
def test_a_message_that_is_not_ours_is_a_value_error(records: RecordDict) -> None:
    with pytest.raises((KeyError, ValueError)):
        from_records(records)
