"""Flower arrays inside one process: held as they are, in place of the bytes they would be on the wire.

Flower's Array serialises when it is made and reads the bytes anew at every look: four copies of every tensor and
message, which is all that a simulation in one process would spend beside training. Between processes nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.typing import NDArray

_HELD: ContextVar[bool] = ContextVar("arrays are held", default=False)


class HeldArray(Array):
    """An Array that shares its sender's memory, read-only for whoever receives it; bytes only if they are asked for.

    The sender must not change the array afterwards.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        view = array.view()
        view.flags.writeable = False
        self.dtype, self.shape, self.stype = str(array.dtype), tuple(array.shape), "numpy.ndarray"
        self.__dict__["_view"] = view

    @property
    def data(self) -> bytes:  # type: ignore[override]  # a field of Flower's dataclass
        """As Flower would have serialised it."""
        return Array(np.asarray(self.__dict__["_view"])).data

    def numpy(self) -> NDArray[Any]:
        """The array itself, read-only."""
        view: NDArray[Any] = self.__dict__["_view"]
        return view


@contextmanager
def arrays_held() -> Iterator[None]:
    """Inside, `record_of` holds arrays: for messages that never leave this process."""
    before = _HELD.set(True)
    try:
        yield
    finally:
        _HELD.reset(before)


def record_of(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """The arrays as Flower's record: held inside `arrays_held`, else as bytes."""
    make = HeldArray if _HELD.get() else Array
    record = ArrayRecord()  # made of a dictionary, it would copy each Array as bytes
    for name, array in arrays.items():
        record[name] = make(array)
    return record


def record_in(content: RecordDict, name: str) -> ArrayRecord:
    """The record of that name. Raises KeyError where there is none of arrays.

    Not by `content.array_records`: what that gives refers to itself and to the content, so that every message read
    would stay in memory, with its arrays, until the garbage collector comes by.
    """
    record = content[name]
    if not isinstance(record, ArrayRecord):
        raise KeyError(name)
    return record
