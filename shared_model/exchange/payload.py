"""One message, either way: named arrays and a small JSON document. Free of Flower, so that both sides can be
tested without a network.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Payload:
    """arrays: what travels of the model, fp32 or as fields["exchange"] says. fields: JSON values only (no NaN)."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of arrays and fields, without the transport's framing."""
        return sum(array.nbytes for array in self.arrays.values()) + len(self.fields_json().encode())

    def fields_json(self) -> str:
        """The fields as canonical JSON."""
        return json.dumps(self.fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fields_from_json(text: str) -> dict[str, Any]:
    """The fields of a message. Raises ValueError for anything but a JSON object of finite numbers."""
    try:
        fields = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except RecursionError:  # nesting without end
        raise ValueError("a message that cannot be read (RecursionError)") from None
    if not isinstance(fields, dict):
        raise ValueError("the fields of a message are not a JSON object")
    return fields


def _finite(text: str) -> float:
    """JSON has no NaN and no infinity, but Python's parser reads them."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.20} is not a finite number")
    return value
