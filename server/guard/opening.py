"""Unpacking a site's update, before the guard looks at its numbers."""

from __future__ import annotations

from shared_model.config.exchange import Codec
from shared_model.exchange import CodecError, Coding, Payload
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import unpack_update


def opened(update: Payload, base: Arrays, fingerprint: str, codec: Codec) -> Payload:
    """The update with its tensors in fp32, what it says of itself unchanged.

    fingerprint: of `base`, or "" in a run that packs nothing. Raises CodecError for an update packed otherwise than
    by this run's codec, made from another base, or that does not fit it.
    """
    coding = Coding.of(update.fields)
    said: Codec = coding.codec if coding else "fp32"
    if said != codec:
        raise CodecError(f"is packed as {said}, expected {codec}")
    if fingerprint and (coding is None or coding.base != fingerprint):
        raise CodecError("is made from another base than this round's")
    if codec == "fp32":
        return update
    untrained = update.fields.get("untrained", [])
    idle = [name for name in untrained if isinstance(name, str)] if isinstance(untrained, list) else []
    return Payload(unpack_update(update.arrays, codec, base, idle), update.fields)
