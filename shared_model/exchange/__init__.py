"""What travels between a site and the coordinator: which tensors, in which message, packed and summed how."""

from shared_model.exchange.codec import CodecError
from shared_model.exchange.coding import Coding, fingerprint
from shared_model.exchange.fixed_point import FixedPointSum
from shared_model.exchange.parameters import (
    local_tensors,
    parameter_kinds,
    read_tensors,
    shared_tensors,
    trunk_fingerprint,
    write_tensors,
)
from shared_model.exchange.payload import Payload

__all__ = [
    "CodecError",
    "Coding",
    "FixedPointSum",
    "Payload",
    "fingerprint",
    "local_tensors",
    "parameter_kinds",
    "read_tensors",
    "shared_tensors",
    "trunk_fingerprint",
    "write_tensors",
]
