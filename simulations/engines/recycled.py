"""Copies of arrays in memory that is used again once nothing refers to it.

A client trains a copy of the model it is sent. A large one is fresh memory each time, which the kernel has to find and
to clear page by page, and gets back as soon as the server has added the reply. Kept here, it costs nothing next time.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Recycled:
    """Memory of one client app. As much stays allocated as was ever in use at the same time."""

    def __init__(self) -> None:
        self._free: defaultdict[int, list[NDArray[np.uint8]]] = defaultdict(list)

    def copy(self, array: NDArray[Any]) -> NDArray[Any]:
        """A writable copy, same shape and type; its memory is free again when nothing holds it or a view of it."""
        if array.nbytes == 0:
            return array.copy()
        free = self._free[array.nbytes]
        # Not numpy's: it asks the kernel for huge pages, and finding those can cost more than they save.
        memory = free.pop() if free else torch.empty(array.nbytes, dtype=torch.uint8).numpy()
        lease = (ctypes.c_char * array.nbytes).from_buffer(memory.data)
        weakref.finalize(lease, free.append, memory).atexit = False
        copy: NDArray[Any] = np.frombuffer(memoryview(lease), array.dtype).reshape(array.shape)
        np.copyto(copy, array)
        return copy
