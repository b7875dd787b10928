"""fp32 that is fp32: matrix products and convolutions without TF32 or any other shortcut, while somebody asks for it.

By default PyTorch computes convolutions on a CUDA device in TF32, whose mantissa has 10 bits; what a processor and a
graphics card compute of the same photograph would then differ by more than half precision rounds away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch

_backends: Any = torch.backends  # whose operations are made at run time, unknown to type checkers
_OPERATIONS = (
    _backends.cuda.matmul,
    _backends.cudnn.conv,
    _backends.cudnn.rnn,
    _backends.mkldnn.matmul,
    _backends.mkldnn.conv,
    _backends.mkldnn.rnn,
)


@dataclass
class _Asked:
    """count: of the blocks that ask for it now, in whatever thread. back: sets back what was set before the first."""

    lock: Lock = field(default_factory=Lock)
    count: int = 0
    back: Callable[[], None] = lambda: None


_asked = _Asked()


@contextmanager
def full_precision() -> Iterator[None]:
    """Within the block, for the whole process; when the last one that asks for it has ended, all is as it was."""
    with _asked.lock:
        if not _asked.count:
            _asked.back = _set()
        _asked.count += 1
    try:
        yield
    finally:
        with _asked.lock:
            _asked.count -= 1
            if not _asked.count:
                _asked.back()


def _set() -> Callable[[], None]:
    """Set the flags; what sets them back.

    PyTorch has them twice and refuses to tell the older ones where the newer disagree, so both are set.
    """
    newer = [operation.fp32_precision for operation in _OPERATIONS]
    products = _told(torch.get_float32_matmul_precision)
    _to_fp32()
    older = products or _told(torch.get_float32_matmul_precision) or "high"
    convolutions = (
        _told(lambda: _backends.cudnn.allow_tf32) is not False
    )  # not told: TF32, unlike the newer flag
    torch.set_float32_matmul_precision("highest")
    _backends.cudnn.allow_tf32 = False
    _to_fp32()  # which the older flags leave to what holds for all operations

    def back() -> None:
        torch.set_float32_matmul_precision(older)
        _backends.cudnn.allow_tf32 = convolutions
        for operation, precision in zip(_OPERATIONS, newer, strict=True):
            operation.fp32_precision = precision

    return back


def _to_fp32() -> None:
    for operation in _OPERATIONS:
        operation.fp32_precision = "ieee"


def _told(flag: Callable[[], Any]) -> Any:
    """The value of an older flag; None where PyTorch does not tell it."""
    with suppress(RuntimeError):
        return flag()
    return None
