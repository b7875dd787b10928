"""What a message is called in the records of both ends: the SHA-256 of its content.

A site writes it down before its answer leaves, the coordinator as the answer arrives, each in a log of its own: so
either can show that what the other says was sent or used is what was.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from shared_model.exchange.payload import Payload

MESSAGE_ID = (
    "message_id"  # the field of an answer that the coordinator sets as it arrives, whatever the site says
)

SIGNED = "signed"  # the field that a site's gateway puts on, which is no part of what its worker answered


def message_id(payload: Payload) -> str:
    """SHA-256, hexadecimal, over the fields and over name, type, shape and bytes of every tensor, by name."""
    fields = json.loads(payload.fields_json())  # as it arrives: whole numbers as keys have become text
    fields.pop(SIGNED, None)
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    for name in sorted(payload.arrays):
        array = payload.arrays[name]
        digest.update(f"\n{name}:{array.dtype.name}:{array.shape};".encode())
        digest.update(
            np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
        )
    return digest.hexdigest()
