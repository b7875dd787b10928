"""Masks: as many uniform numbers as a vector has, out of a 32-byte key, by AES-256 in counter mode.

A key masks one vector of one round and nothing else, so the counter begins at zero. Numbers are added modulo 2**bits,
in which the sum of a mask and its negative is zero whatever the order of addition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from shared_model.secure_aggregation.keys import derived

CHUNK = 1 << 20  # bytes of the stream that are in memory at once
WORDS: dict[int, np.dtype[Any]] = {16: np.dtype("<u2"), 32: np.dtype("<u4"), 64: np.dtype("<u8")}


def add_mask(vector: NDArray[Any], seed: bytes, sign: int) -> None:
    """Add (sign 1) or take away (-1) the mask of `seed`, in place. vector: unsigned, one-dimensional, contiguous.

    The type of the vector decides the modulus; vectors of different types have different masks of one seed.
    """
    key = derived(seed, f"mask {vector.dtype.itemsize}")
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    zeros = bytes(min(CHUNK, vector.nbytes))
    buffer = bytearray(len(zeros) + 15)
    step = CHUNK // vector.dtype.itemsize
    for start in range(0, vector.size, step):
        part = vector[start : start + step]
        stream.update_into(memoryview(zeros)[: part.nbytes], buffer)
        words = np.frombuffer(buffer, vector.dtype, part.size)
        if sign > 0:
            np.add(part, words, out=part)
        else:
            np.subtract(part, words, out=part)


def to_wire(vector: NDArray[Any]) -> NDArray[np.uint16]:
    """As it travels: 16-bit numbers, low ones first, whatever the width."""
    return np.ascontiguousarray(vector).view("<u2")


def from_wire(wire: NDArray[np.uint16], bits: int) -> NDArray[Any]:
    """The vector of `to_wire`, a copy that may be changed. Raises ValueError for a length that is none."""
    return np.array(wire, dtype="<u2").view(WORDS[bits])
