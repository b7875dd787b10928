"""Payload to Flower's RecordDict and back; imported by the two apps only."""

from __future__ import annotations

import json

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from shared_model.exchange.payload import Payload

# What the coordinator asks, and the Flower message type that carries it.
MESSAGE_TYPES = {
    "join": "query.join",
    "statistics": "query.statistics",
    "train": "train",
    "evaluate": "evaluate",
}
PROBLEM = "problem"  # the field of an answer that says why there is none


def to_records(payload: Payload) -> RecordDict:
    """Arrays as an ArrayRecord, fields as one JSON string (ConfigRecord refuses None and nesting)."""
    arrays = ArrayRecord({name: Array(array) for name, array in payload.arrays.items()})
    return RecordDict({"arrays": arrays, "fields": ConfigRecord({"json": payload.fields_json()})})


def from_records(records: RecordDict) -> Payload:
    """The payload. Raises KeyError or ValueError for a message that is not one of ours."""
    arrays = {name: array.numpy() for name, array in records.array_records["arrays"].items()}
    fields = json.loads(str(records.config_records["fields"]["json"]))
    if not isinstance(fields, dict):
        raise ValueError("the fields of a message are not a JSON object")
    return Payload(arrays, fields)
