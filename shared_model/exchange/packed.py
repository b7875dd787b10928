"""All tensors of a message as one, for transports to which every tensor is an object of its own.

Flower 1.41 sends an array as two objects, each with a signed HTTPS request of its own at either end: a few hundred
requests a message for a model of a hundred and more tensors, which took most of an idle round's time. As one tensor
they are a handful, whatever the model. The numbers are the same bytes.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.exchange.payload import Payload

PACKED = "packed"  # the one tensor, and the field that says what is in it
TYPES = {name: np.dtype(name).newbyteorder("<") for name in ("float32", "uint16", "int8")}
_ALIGNED = 8  # every tensor begins at a multiple of it, so that it can be used where it lies


def packed(payload: Payload) -> Payload:
    """The message with its tensors as one; a message without any as it is. Raises ValueError for other types."""
    if not payload.arrays:
        return payload
    index = [[name, _known(array.dtype.name), list(array.shape)] for name, array in payload.arrays.items()]
    size = sum(_padded(array.nbytes) for array in payload.arrays.values())
    content = np.zeros(size, np.uint8)
    start = 0
    for array in payload.arrays.values():
        flat = np.ascontiguousarray(array, TYPES[array.dtype.name]).reshape(-1).view(np.uint8)
        content[start : start + flat.size] = flat
        start += _padded(flat.size)
    return Payload({PACKED: content}, payload.fields | {PACKED: index})


def opened(payload: Payload) -> Payload:
    """What `packed` was given; a message that is not packed as it is. The tensors share the one's memory.

    Raises ValueError, which says nothing of the content, for anything malformed.
    """
    if PACKED not in payload.fields:
        return payload
    fields = {name: value for name, value in payload.fields.items() if name != PACKED}
    content = payload.arrays.get(PACKED)
    if set(payload.arrays) != {PACKED} or content is None or content.dtype != np.uint8 or content.ndim != 1:
        raise ValueError("a packed message without its tensor")
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for name, kind, shape in _index(payload.fields[PACKED]):
        size = prod(shape) * kind.itemsize
        if name in arrays or start + _padded(size) > content.size:
            raise ValueError("a packed message whose tensors do not fit")
        arrays[name] = content[start : start + size].view(kind).reshape(shape)
        start += _padded(size)
    if start != content.size:
        raise ValueError("a packed message that is longer than its tensors")
    return Payload(arrays, fields)


def _index(given: Any) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    if not isinstance(given, list):
        raise ValueError("a packed message without an index")
    found = []
    for entry in given:
        if not (isinstance(entry, list) and len(entry) == 3):
            raise ValueError("a packed message with a malformed index")
        name, kind, shape = entry
        if (
            not isinstance(name, str)
            or not isinstance(kind, str)
            or kind not in TYPES
            or not _is_shape(shape)
        ):
            raise ValueError("a packed message with a malformed index")
        found.append((name, TYPES[kind], tuple(shape)))
    return found


def _is_shape(shape: Any) -> bool:
    sides = isinstance(shape, list) and len(shape) <= 8
    return sides and all(type(side) is int and 0 <= side < 1 << 40 for side in shape)


def _known(kind: str) -> str:
    if kind not in TYPES:
        raise ValueError(f"tensors of type {kind:.16} do not travel")
    return kind


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
