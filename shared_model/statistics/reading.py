"""Reading numbers out of a message that anybody may have written: whole, finite, as many as there should be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**53  # a count above this would not survive as a JSON number


def exactly(values: Sequence[Any], length: int) -> Sequence[Any]:
    """The values, if there are `length` of them. Raises ValueError or TypeError."""
    if isinstance(values, str) or len(values) != length:
        raise ValueError(f"{length} entries expected")
    return values


def number(value: Any) -> float:
    """A finite number. Raises ValueError or TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number is not finite")
    return float(value)


def numbers(values: Sequence[Any], length: int, *, positive: bool = False) -> tuple[float, ...]:
    """`length` finite numbers. Raises ValueError or TypeError."""
    found = tuple(number(value) for value in exactly(values, length))
    if positive and not all(value > 0 for value in found):
        raise ValueError("a number is not positive")
    return found


def count(value: Any) -> int:
    """A whole number from 0 to 2^53. Raises ValueError or TypeError."""
    if isinstance(value, bool) or not 0 <= value <= LARGEST or value != int(value):
        raise ValueError("a count is not a whole number of at least 0")
    return int(value)


def plain(value: Any) -> Any:
    """Dictionaries and lists in place of mappings and tuples, for JSON."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
