"""Updates as whole numbers of few bits whose sum cannot overflow: the running int64 sum's field, reduced.

server.aggregation adds weight * difference in multiples of 2**-36. Here each site rounds its weight * difference to a
multiple of 2**-36 * 2**shift, so that the sum of all sites, each within its bound, fits the field. Bound and shift
follow from what everybody holds before the round: learning rate, local steps, the base and the sites' weights. So the
sum is exact in what was added, and differs from the plain one by at most half a unit a site.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_model.config import Config
from shared_model.exchange.fixed_point import LARGEST_WEIGHT, SCALE_BITS
from shared_model.exchange.parameters import Arrays

LARGEST_BOUND = 2**42  # of a difference, in multiples of 2**-36: weight * difference stays below 2**62
LEARNED_WEIGHTS = "weighting."  # names of tensors that learn at losses.weight_rate times the rate


@dataclass(frozen=True)
class Scale:
    """Of one tensor. bound: of a site's difference, in multiples of 2**-36. shift: bits that rounding takes."""

    bound: int
    shift: int


def scales(
    config: Config, base: Arrays, learning_rate: float, total_weight: int, sites: int
) -> dict[str, Scale]:
    """Tensor to scale, for a round of so many sites. Raises OverflowError for weights that a round cannot add.

    AdamW moves a number by about the learning rate a step, and weight decay by a share of the number itself.
    """
    if not 0 < total_weight <= LARGEST_WEIGHT:
        raise OverflowError(f"weights must be positive and sum to at most {LARGEST_WEIGHT}")
    training, secure = config.training, config.secure_aggregation
    found = {}
    for name, array in base.items():
        rate = learning_rate * (config.losses.weight_rate if name.startswith(LEARNED_WEIGHTS) else 1.0)
        largest = float(np.abs(array).max(initial=0.0))
        reach = secure.bound * training.local_steps * rate * (1.0 + training.weight_decay * largest)
        bound = min(LARGEST_BOUND, max(1, math.ceil(reach * 2.0**SCALE_BITS)))
        found[name] = Scale(bound, shift_for(total_weight * bound, sites, secure.bits))
    return found


def shift_for(reach: int, sites: int, bits: int) -> int:
    """The least shift with which a sum of magnitude `reach`, rounded by so many sites, fits a signed field.

    A site's rounding adds at most half a unit: |sum| <= reach / 2**shift + sites / 2 < 2**(bits - 1).
    """
    shift = 0
    while (reach >> shift) + 1 + sites >= 1 << (bits - 1):
        shift += 1
    return shift


def encoded(difference: NDArray[np.float64], scale: Scale, weight: int) -> tuple[NDArray[np.int64], int]:
    """A site's weighted numbers in units of the field, flat, and how many were cut off at the bound.

    difference: finite, of any shape. Raises OverflowError for NaN and infinity.
    """
    scaled = np.rint(difference.reshape(-1) * 2.0**SCALE_BITS)
    if not np.isfinite(scaled).all():
        raise OverflowError("NaN or infinity")
    beyond = int((np.abs(scaled) > scale.bound).sum())
    whole = np.clip(scaled, -scale.bound, scale.bound).astype(np.int64) * np.int64(weight)
    if scale.shift:
        whole += np.int64(1 << (scale.shift - 1))
        whole >>= scale.shift
    return whole, beyond


def decoded(words: NDArray[np.unsignedinteger], scale: Scale, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The sum in multiples of 2**-36, as server.aggregation holds it. words: of the field, unmasked."""
    signed = words.astype(words.dtype.newbyteorder("=")).view(f"i{words.dtype.itemsize}")
    return (signed.astype(np.int64) << scale.shift).reshape(shape)


def sizes(base: Mapping[str, NDArray[np.float32]]) -> int:
    """Numbers in a masked vector: all tensors one after the other, in the base's order."""
    return sum(array.size for array in base.values())
