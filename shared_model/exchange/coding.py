"""What a message says of its own tensors: how they are packed, and which set of tensors they stand on.

A run that packs nothing (fp32 both ways) sends messages without it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.config.exchange import CODECS, Codec
from shared_model.exchange.codec import CodecError

EXCHANGE = "exchange"  # the field of a message that holds it
FULL_SET = "full_set_needed"  # the field of a site's answer that asks for the whole set in place of a change
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Coding:
    """codec: of the message's arrays. base: fingerprint of the round's base, which a request gives and an answer
    was made from. upon: fingerprint of the set that a request changes into the base; None for a whole set.
    taken: the last round whose update of this site was used, 0 for none.
    """

    codec: Codec
    base: str
    upon: str | None = None
    taken: int = 0

    def to_field(self) -> dict[str, Any]:
        """The JSON object of fields["exchange"]."""
        return {"codec": self.codec, "base": self.base, "upon": self.upon, "taken": self.taken}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Coding | None:
        """What the message says, or None where it says nothing. Raises CodecError for anything malformed."""
        if EXCHANGE not in fields:
            return None
        given = fields[EXCHANGE]
        if not isinstance(given, Mapping) or set(given) != {"codec", "base", "upon", "taken"}:
            raise CodecError("does not say how it is packed in the expected way")
        if given["codec"] not in CODECS:
            raise CodecError(f"is packed by a codec that is not one of {', '.join(CODECS)}")
        if not _fingerprint(given["base"]) or not (given["upon"] is None or _fingerprint(given["upon"])):
            raise CodecError("names its base by something that is not a fingerprint")
        taken = given["taken"]
        if not isinstance(taken, int) or isinstance(taken, bool) or taken < 0:
            raise CodecError("names a round that is not one")
        return cls(given["codec"], given["base"], given["upon"], taken)


def fingerprint(arrays: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 over name, shape and bytes of every tensor, by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}:{array.shape};".encode())
        digest.update(np.asarray(array, dtype="<f4", order="C").data)
    return digest.hexdigest()


def _fingerprint(value: Any) -> bool:
    return isinstance(value, str) and _FINGERPRINT.fullmatch(value) is not None
