"""What travels between a site and the coordinator: which tensors, in which message, packed and summed how."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
_MODULES = {
    "CodecError": "codec",
    "Coding": "coding",
    "fingerprint": "coding",
    "FixedPointSum": "fixed_point",
}
_MODULES |= {"Payload": "payload"}


def __getattr__(name: str) -> Any:
    """Each on first use: a gateway carries payloads, and has no business with torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'parameters')}"), name)
