"""fp32 tensors in half the bytes: the upper 16 bits of each number, rounded to the nearest (ties to even).

The relative error of a number is at most 2**-8, that of normal numbers 2**-9. NumPy has no bfloat16, so the bits
travel as uint16.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def to_bf16(array: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16; a number beyond its range becomes infinity."""
    tensor = torch.from_numpy(np.asarray(array, dtype=np.float32, order="C"))
    bits: NDArray[np.uint16] = tensor.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    return bits


def from_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The numbers, exactly."""
    return np.asarray(np.left_shift(bits, np.uint32(16), dtype=np.uint32)).view(np.float32)
