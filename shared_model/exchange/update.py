"""A site's update on its way up: what changed since the round's base, packed, and what rounding left behind.

With error feedback (Seide et al. 2014; Karimireddy et al. 2019) a site adds to every update what rounding took from
the ones before, so that over the rounds the coordinator receives what the site learnt, to within one rounding.
What is owed stays at the site. Rounding is not privacy, and its generator is seeded like any other here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.config.exchange import Codec
from shared_model.exchange.codec import CodecError, Randoms, Wire, pack, shapes_of, unpack
from shared_model.exchange.parameters import Arrays


def pack_update(
    trained: Arrays,
    base: Arrays,
    codec: Codec,
    *,
    owed: Mapping[str, NDArray[np.float32]],
    idle: Collection[str] = (),
    randoms: Randoms | None = None,
) -> tuple[Wire, Arrays]:
    """What travels, and what is owed afterwards.

    owed: what rounding took before, by tensor, none where it is absent. idle: tensors that the site did not train;
    they do not travel, and what is owed of them stays owed. randoms: as in `pack`. fp32 sends `trained` itself and
    owes nothing. Raises CodecError for an update that is not finite.
    """
    if codec == "fp32":
        return dict(trained), {}
    wire: Wire = {}
    left = {name: array for name, array in owed.items() if name in idle}
    for name in trained:
        if name in idle:
            continue
        wanted = trained[name] - base[name]
        if name in owed:
            wanted = wanted + owed[name]
        packed = pack({name: wanted}, codec, randoms)
        arrives = unpack_update(packed, codec, {name: base[name]})[name]
        left[name] = np.asarray(wanted - (arrives - base[name]))
        wire |= packed
    return wire, left


def unpack_update(
    wire: Mapping[str, NDArray[Any]], codec: Codec, base: Arrays, idle: Collection[str] = ()
) -> Arrays:
    """The site's tensors, fp32: base + change; the base itself for tensors of `idle` that did not travel.

    Not for fp32, which travels as it is. Raises CodecError for whatever does not fit `base`, or overflows.
    """
    changes = unpack(wire, codec, shapes_of(base))
    missing = base.keys() - changes.keys() - set(idle)
    if missing:
        raise CodecError(f"lacks {len(missing)} of the {len(base)} expected tensors")
    return {name: _moved(name, base[name], changes.get(name)) for name in base}


def _moved(name: str, base: NDArray[np.float32], change: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if change is None:
        return base
    with np.errstate(over="ignore"):
        moved = base + change
    if not np.isfinite(moved).all():
        raise CodecError(f"{name} overflows")
    return np.asarray(moved)
