"""One message, either way: named arrays and a small JSON document. Free of Flower, so that both sides can be
tested without a network.
"""

from __future__ import annotations

import json
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
