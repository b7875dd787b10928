"""A file of tensors written into the place of an earlier one of the same layout.

A simulated site keeps its state for itself and no longer than the run. Writing that into memory the system already
holds takes a twentieth of the time of a new file, whose pages the kernel has to find and clear.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

HALFWAY = ".halfway"  # ends the name of a file that is being written
_AT_ONCE = 512  # buffers in one call; Linux takes 1,024


def overwrite(old: Path, new: Path, tensors: Mapping[str, NDArray[Any]]) -> bool:
    """Make `old` into `new`, which holds `tensors`; False, and nothing done, where their layout is another.

    While it is written it has a name of its own: cut short, there is neither file. Raises OSError.
    """
    try:
        header = _header(old)
    except FileNotFoundError:
        return False
    arrays = _in_order(header, tensors)
    if arrays is None:
        return False
    halfway = new.with_name(f"{new.name}{HALFWAY}")
    os.replace(old, halfway)
    with halfway.open("r+b", buffering=0) as stream:
        _write(stream.fileno(), 8 + len(header), arrays)
    os.replace(halfway, new)
    return True


def _header(path: Path) -> bytes:
    """What a safetensors file says of its tensors: JSON, after eight bytes of its length."""
    with path.open("rb") as stream:
        return stream.read(int.from_bytes(stream.read(8), "little"))


def _in_order(header: bytes, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]] | None:
    """The tensors as the file orders them; None where its header is not theirs."""
    said = json.loads(header)
    if said.keys() != tensors.keys():
        return None
    names = sorted(said, key=lambda name: said[name]["data_offsets"])
    for name in names:
        array, what = tensors[name], said[name]
        if list(array.shape) != what["shape"] or _kind(array.dtype) != what["dtype"]:
            return None
    return [np.ascontiguousarray(tensors[name]) for name in names]


def _kind(dtype: np.dtype[Any]) -> str | None:
    """The format's name of a type, as the library writes it."""
    if dtype not in _KINDS:
        header = json.loads(save({"x": np.zeros(1, dtype)})[8:].split(b"}}")[0] + b"}}")
        _KINDS[dtype] = header["x"]["dtype"]
    return _KINDS[dtype]


_KINDS: dict[np.dtype[Any], str] = {}


def _write(file: int, offset: int, arrays: Sequence[NDArray[Any]]) -> None:
    buffers = [array.reshape(-1).view(np.uint8).data for array in arrays if array.size]
    while buffers:
        written = os.pwritev(file, buffers[:_AT_ONCE], offset)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        offset += written
        # Linux writes no more than 2 GiB at a time, and less where the disk is nearly full.
        while buffers and written >= buffers[0].nbytes:
            written -= buffers.pop(0).nbytes
        if written:
            buffers[0] = buffers[0][written:]
