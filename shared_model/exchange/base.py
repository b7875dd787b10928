"""The base of a round: what the coordinator's model becomes on its way to the sites, the same at both ends.

Rounding changes the model that is sent. Updates refer to what arrived, so the coordinator holds exactly that beside
its own fp32 model, and adds what the sites learnt to the latter: what rounding took is never lost, only late.
A change is sent in int8 and the base it leads to is rounded to bf16, so that whoever lacks the set before can be
given the same base whole, in bf16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from shared_model.config.exchange import Codec
from shared_model.exchange.codec import CodecError, Shapes, Wire, pack, shapes_of, unpack
from shared_model.exchange.parameters import Arrays


def whole_set(model: Arrays, codec: Codec) -> tuple[Wire, Arrays]:
    """What travels of the whole model, and the base that it is at the sites. codec: fp32 or bf16."""
    wire = pack(model, codec)
    return wire, model if codec == "fp32" else unpack(wire, codec, shapes_of(model))


def change(model: Arrays, held: Arrays) -> tuple[Wire, Arrays]:
    """What travels of model - held, in int8, and the base that it makes of `held` at the sites.

    Taken against what the sites hold and not against the last model, so that rounding errors do not add up.
    """
    wire = pack({name: model[name] - held[name] for name in model}, "int8")
    return wire, changed(held, wire)


def changed(held: Arrays, wire: Mapping[str, NDArray[Any]]) -> Arrays:
    """The base that a change makes of `held`. Raises CodecError where it does not fit."""
    moved = unpack(wire, "int8", shapes_of(held))
    if set(moved) != set(held):
        raise CodecError(f"holds the change of {len(moved)} tensors, expected {len(held)}")
    return whole_set({name: held[name] + moved[name] for name in held}, "bf16")[1]


def received(wire: Mapping[str, NDArray[Any]], codec: Codec, shapes: Shapes) -> Arrays:
    """The whole set that a site was sent. Raises CodecError where it does not fit."""
    base = unpack(wire, codec, shapes)
    if set(base) != set(shapes):
        raise CodecError(f"holds {len(base)} tensors, expected {len(shapes)}")
    return base
