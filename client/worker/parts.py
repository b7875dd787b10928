"""A message to or from the worker as a stream of parts: one header, then the tensors' bytes in chunks.

200 MB in one piece would be held several times over and pass every limit at once. What arrives is held against the
header before memory is taken for it, so that neither side can be made to take more than it expects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from client.worker.worker_pb2 import Header, Part, Tensor
from shared_model.errors import DataError
from shared_model.exchange.payload import Payload, fields_from_json

CHUNK = 1 << 20  # bytes of tensors a part
LARGEST_PART = 4 << 20  # bytes; a header of some ten thousand tensors
MOST_TENSORS = 20_000
TYPES = {name: np.dtype(name).newbyteorder("<") for name in ("float32", "uint16", "int8")}
NO_TENSORS = 0


def to_parts(payload: Payload) -> Iterator[Part]:
    """The stream that carries `payload`. Raises DataError for a tensor of a type that never travels."""
    tensors = []
    for name, array in payload.arrays.items():
        if array.dtype.name not in TYPES:
            raise _unreadable(f"a tensor is {array.dtype.name:.16}")
        tensors.append(Tensor(name=name, dtype=array.dtype.name, shape=array.shape))
    yield Part(header=Header(fields=payload.fields_json(), tensors=tensors))
    for array in payload.arrays.values():
        content = np.ascontiguousarray(array, TYPES[array.dtype.name]).reshape(-1).view(np.uint8)
        for start in range(0, content.size, CHUNK):
            yield Part(data=content[start : start + CHUNK].tobytes())


def from_parts(parts: Iterable[Part], largest: int) -> Payload:
    """The message that a stream carries. largest: bytes of tensors that are expected at most.

    Raises DataError, which says nothing of the content, for a stream that is cut short, too long, or not ours.
    """
    stream = iter(parts)
    first = next(stream, None)
    if first is None or first.WhichOneof("part") != "header":
        raise _unreadable("it has no header")
    shapes = _shapes(first.header, largest)
    try:
        fields = fields_from_json(first.header.fields)
    except ValueError:
        raise _unreadable("its fields are no JSON object") from None
    arrays: dict[str, NDArray[np.generic]] = {
        tensor.name: np.empty(shape, TYPES[tensor.dtype])
        for tensor, shape in zip(first.header.tensors, shapes, strict=True)
    }
    _fill([array.reshape(-1).view(np.uint8) for array in arrays.values()], stream)
    return Payload(arrays, fields)


def _shapes(header: Header, largest: int) -> list[tuple[int, ...]]:
    """Every tensor's shape, held against what is expected before any memory is taken."""
    if len(header.tensors) > MOST_TENSORS:
        raise _unreadable("it announces too many tensors")
    if len({tensor.name for tensor in header.tensors}) != len(header.tensors):
        raise _unreadable("two tensors have one name")
    if any(tensor.dtype not in TYPES or len(tensor.shape) > 8 for tensor in header.tensors):
        raise _unreadable("a tensor is of a type that never travels")
    shapes = [tuple(tensor.shape) for tensor in header.tensors]
    types = [TYPES[tensor.dtype].itemsize for tensor in header.tensors]
    if sum(math.prod(shape) * size for shape, size in zip(shapes, types, strict=True)) > largest:
        raise _unreadable(f"it announces more than the {largest} bytes of tensors that are expected")
    if any(math.prod(max(1, side) for side in shape) > 1 << 40 for shape in shapes):
        raise _unreadable("a tensor is of a shape that cannot be")
    return shapes


def _fill(places: list[NDArray[np.uint8]], stream: Iterator[Part]) -> None:
    waiting = [place for place in places if place.size]
    current, filled = 0, 0
    for part in stream:
        if part.WhichOneof("part") != "data":
            raise _unreadable("it has two headers")
        content = np.frombuffer(part.data, np.uint8)
        while content.size:
            if current == len(waiting):
                raise _unreadable("it is longer than it announced")
            place = waiting[current]
            taken = min(content.size, place.size - filled)
            place[filled : filled + taken] = content[:taken]
            content, filled = content[taken:], filled + taken
            if filled == place.size:
                current, filled = current + 1, 0
    if current < len(waiting):
        raise _unreadable("it is cut short")


def _unreadable(why: str) -> DataError:
    return DataError(
        f"a message between gateway and worker cannot be read: {why}",
        fix="install the same release of fedfundus for both, and see both logs",
    )
