"""From masked numbers to their sum: what the survivors' shares give back is taken off again.

The running sum of what arrived is as long as one update, however many sites there are. Of each survivor the own mask is
taken off, of each lost site the masks that the survivors have with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.secure_aggregation.keys import KeyProblem, agreed, derived, private_key, public_bytes
from shared_model.secure_aggregation.report import VALIDATION
from shared_model.secure_aggregation.session import Cohort
from shared_model.secure_aggregation.shares import restored
from shared_model.secure_aggregation.stream import WORDS, add_mask, from_wire


class NotOpened(ValueError):
    """Shares that do not give what they are shares of, or a vector that does not fit."""


@dataclass
class MaskedSum:
    """words: of the tensors, all together; bits: of each. report: numbers of the report."""

    words: int
    bits: int
    report: int
    sites: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vector = np.zeros(self.words, dtype=WORDS[self.bits])
        self.told = np.zeros(self.report, dtype=WORDS[64])

    def add(self, site: str, vector: NDArray[Any] | None, told: NDArray[Any] | None) -> None:
        """Take a site's masked numbers in, as they travelled. Raises NotOpened where they do not fit."""
        nothing = np.zeros(0, np.uint16)
        wires = [nothing if wire is None else wire for wire in (vector, told)]
        parts = ((self.vector, self.bits), (self.told, 64))
        for wire, (part, bits) in zip(wires, parts, strict=True):
            if wire.dtype != np.uint16 or wire.shape != (part.size * bits // 16,):
                raise NotOpened("sent masked numbers of another length or type")
        for wire, (part, bits) in zip(wires, parts, strict=True):
            np.add(part, from_wire(wire, bits), out=part)
        self.sites.append(site)

    def take_off(self, seed: bytes, sign: int) -> None:
        """One mask, which was added with `sign`."""
        add_mask(self.vector, seed, -sign)
        add_mask(self.told, seed, -sign)


@dataclass(frozen=True)
class Given:
    """What a survivor gave out. own, keys, figures: site to share of its own mask, of its key, or of the mask over its
    validation figures.
    """

    own: Mapping[str, bytes]
    keys: Mapping[str, bytes]
    figures: Mapping[str, bytes] = field(default_factory=dict)


def opened(
    total: MaskedSum,
    cohort: Cohort,
    senders: Sequence[str],
    stage: bytes,
    digests: Mapping[str, bytes],
    given: Sequence[Given],
) -> None:
    """Take every mask off `total`. senders: whose masks are in it; digests: of the survivors' own secrets.

    Raises NotOpened naming the site whose secret the shares do not give.
    """
    survivors = set(total.sites)
    for name in sorted(survivors):
        secret = restored(
            [one.own[name] for one in given if name in one.own],
            cohort.threshold,
            lambda found, name=name: hashlib.sha256(found).digest() == digests.get(name),  # type: ignore[misc]
        )
        if secret is None:
            raise NotOpened(f"the shares of {name}'s own mask do not give it")
        total.take_off(derived(secret, "own mask", stage), 1)
    for name in sorted(set(senders) - survivors):
        _without(total, cohort, name, stage, [one.keys[name] for one in given if name in one.keys])


def opened_figures(
    total: MaskedSum,
    cohort: Cohort,
    threshold: int,
    stage: bytes,
    digests: Mapping[str, bytes],
    given: Sequence[Given],
) -> bool:
    """Take the masks off the validation figures in a report that `opened` has opened; whether they can be read.

    threshold: of shares of the figures' masks. digests: of their secrets. Where sites have not given the shares (others
    validated before in this run, or too few) the figures become those of nobody.
    """
    seeds: list[bytes] = []
    for name in sorted(set(total.sites) & set(cohort.validating)):
        secret = restored(
            [one.figures[name] for one in given if name in one.figures],
            threshold,
            lambda found, name=name: hashlib.sha256(found).digest() == digests.get(name),  # type: ignore[misc]
        )
        if secret is None:
            seeds = []
            break
        seeds.append(derived(secret, "figures mask", stage))
    if not seeds:
        total.told[VALIDATION] = 0
    for seed in seeds:
        add_mask(total.told[VALIDATION], seed, -1)
    return bool(seeds)


def _without(total: MaskedSum, cohort: Cohort, lost: str, stage: bytes, shares: Sequence[bytes]) -> None:
    """Take off the masks that the survivors have with a site that sent nothing."""
    public = cohort.adverts[lost].mask
    secret = restored(shares, cohort.threshold, lambda found: public_bytes(private_key(found)) == public)
    if secret is None:
        raise NotOpened(f"the shares of {lost}'s key do not give it")
    key = private_key(secret)
    for name in sorted(total.sites):
        try:
            seed = derived(agreed(key, cohort.adverts[name].mask), "pair mask", stage)
        except KeyProblem:
            raise NotOpened(f"{name}'s key cannot be used") from None
        total.take_off(seed, 1 if name < lost else -1)
