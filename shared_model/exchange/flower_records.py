"""Payload to Flower's RecordDict and back; imported by the two apps only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from shared_model.exchange.payload import Payload, fields_from_json
from shared_model.held_array import HeldArray, record_in, record_of

# What the coordinator asks, and the Flower message type that carries it.
MESSAGE_TYPES = {
    "join": "query.join",
    "statistics": "query.statistics",
    "train": "train",
    "evaluate": "evaluate",
    "temperature": "query.temperature",
    "scores": "query.scores",
    "site_figures": "query.site_figures",
    "secure_aggregation": "query.secure_aggregation",
}
PROBE = "query.probe"  # asks nothing: a gateway that answers it has no earlier message left to answer
PROBLEM = "problem"  # the field of an answer that says why there is none


def to_records(payload: Payload, arrays: ArrayRecord | None = None) -> RecordDict:
    """Arrays as an ArrayRecord, fields as one JSON string (ConfigRecord refuses None and nesting).

    arrays: to_array_record(payload.arrays), where several messages share it.
    """
    if arrays is None:
        arrays = to_array_record(payload.arrays)
    return RecordDict({"arrays": arrays, "fields": ConfigRecord({"json": payload.fields_json()})})


def to_array_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """The arrays as bytes; in a simulation of one process, as they are (shared_model.held_array)."""
    return record_of(arrays)


def from_records(records: RecordDict) -> Payload:
    """The payload. Raises KeyError or ValueError for a message that is not one of ours."""
    arrays = {name: _decode(array) for name, array in record_in(records, "arrays").items()}
    fields = records["fields"]
    if not isinstance(fields, ConfigRecord):
        raise KeyError("fields")
    try:
        text = str(fields["json"])
    except TypeError as error:
        raise ValueError(f"a message that cannot be read ({type(error).__name__})") from None
    return Payload(arrays, fields_from_json(text))


def carried_bytes(records: RecordDict) -> int:
    """Bytes of the arrays and texts in a message that is not read, whatever they are."""
    size = 0
    for record in records.values():
        for value in record.values():
            if isinstance(value, HeldArray):
                size += value.numpy().nbytes
            elif isinstance(value, Array):
                size += len(value.data)
            elif isinstance(value, str | bytes):
                size += len(value)
    return size


def _decode(array: Array) -> NDArray[Any]:
    """The array a site sent, whose bytes may be anything: a cut file, a zip archive, another serialisation."""
    try:
        found = array.numpy()
    except MemoryError:  # this machine's trouble, not to be laid at one site's door
        raise
    except Exception as error:  # what NumPy raises for broken bytes is not bounded: EOFError, TokenError, ...
        raise ValueError(f"an array that cannot be read ({type(error).__name__})") from None
    if not isinstance(found, np.ndarray):
        raise ValueError("an archive of arrays in place of one array")
    return found
