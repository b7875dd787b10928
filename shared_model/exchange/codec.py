"""Named tensors to what travels and back, by the name of a codec.

Unpacking trusts nothing: whatever does not fit the tensors that are expected is refused by name, before any number
of it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.config.exchange import Codec
from shared_model.exchange.bf16 import from_bf16, to_bf16
from shared_model.exchange.int8 import STEPS, channels, dequantise, quantise
from shared_model.exchange.parameters import Arrays

Wire = dict[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]
Randoms = Callable[[str], np.random.Generator]  # a tensor's name to its own generator

LARGEST = 3.38e38  # what bf16 and 127 int8 steps can still hold; fp32 ends a little above, at 3.40e38
SCALE = "scale:"  # put before a tensor's name, for its int8 scales


class CodecError(ValueError):
    """A message that cannot be unpacked, or numbers that a codec cannot hold. Names tensors and codecs only."""


def shapes_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Name to shape."""
    return {name: array.shape for name, array in arrays.items()}


def pack(arrays: Mapping[str, NDArray[np.float32]], codec: Codec, randoms: Randoms | None = None) -> Wire:
    """What travels of `arrays`. randoms: int8 rounds stochastically with these; without, to the nearest.

    Raises CodecError naming the tensor that holds a number no codec can carry; fp32 is not looked at.
    """
    if codec == "fp32":
        return dict(arrays)
    wire: Wire = {}
    for name, array in arrays.items():
        if array.size and not np.abs(array).max() <= LARGEST:  # also catches NaN
            raise CodecError(
                f"{name} holds a number that {codec} cannot carry: NaN, infinity or beyond 3.38e38"
            )
        if codec == "bf16":
            wire[name] = to_bf16(array)
        else:
            wire[name], wire[SCALE + name] = quantise(array, randoms(name) if randoms else None)
    return wire


def unpack(wire: Mapping[str, NDArray[Any]], codec: Codec, shapes: Shapes) -> Arrays:
    """The tensors of `shapes` that `wire` holds, fp32 and finite.

    Raises CodecError for a tensor that is not of `shapes`, for another type or shape, and for scales that are
    missing, too few, negative or not finite.
    """
    suffixes = ("", SCALE) if codec == "int8" else ("",)
    if not set(wire) <= {prefix + name for prefix in suffixes for name in shapes}:
        raise CodecError(f"holds tensors that are not of the {len(shapes)} expected ones")
    found: Arrays = {}
    for name, shape in shapes.items():
        if any(prefix + name in wire for prefix in suffixes):
            found[name] = _one(wire, codec, name, shape)
            if not np.isfinite(found[name]).all():
                raise CodecError(f"{name} holds NaN or infinity")
    return found


def _one(
    wire: Mapping[str, NDArray[Any]], codec: Codec, name: str, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if name not in wire:
        raise CodecError(f"{name} has scales and no steps")
    if codec == "fp32":
        return _require(wire[name], name, np.float32, shape)
    if codec == "bf16":
        return from_bf16(_require(wire[name], name, np.uint16, shape))
    if SCALE + name not in wire:
        raise CodecError(f"{name} has no scales")
    steps = _require(wire[name], name, np.int8, shape)
    scale = _require(wire[SCALE + name], f"the scales of {name}", np.float32, (channels(shape),))
    if not (np.isfinite(scale).all() and (scale >= 0).all()):
        raise CodecError(f"the scales of {name} are not finite numbers from 0 on")
    if steps.size and steps.min() < -STEPS:
        raise CodecError(f"{name} holds a step below -{STEPS}")
    return dequantise(steps, scale)


def _require(array: NDArray[Any], what: str, kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.dtype != kind:
        raise CodecError(f"{what} is {array.dtype!s:.16}, expected {np.dtype(kind)}")
    if array.shape != shape:
        raise CodecError(f"{what} has shape {array.shape}, expected {shape}")
    return array
