"""What sites say before a secure round has begun, and whose validation figures are asked for with it.

Sites help to open the validation figures of one list of sites in a run, the first, and tell which; the coordinator asks
for those of that list, and for nobody's while one of it is away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shared_model.secure_aggregation.session import Advert


class Joined(NamedTuple):
    """A site with its keys, and the sites whose validation figures it has helped to open before."""

    address: str
    advert: Advert
    validated: list[str]


class Shared(NamedTuple):
    """What a site sealed for each other, and the digests of the secrets of its own mask and of its figures'."""

    sealed: dict[str, bytes]
    own: bytes
    figures: bytes


def validating(joined: Iterable[Joined]) -> tuple[list[str], bool]:
    """Whose validation figures to ask for, and whether these are the sites of earlier sums.

    All, before the first sum; then those of the first alone; nobody's while one of them is away, or where sites
    remember different ones.
    """
    here = list(joined)
    before = {tuple(one.validated) for one in here if one.validated}
    names = {one.advert.site for one in here}
    if not before:
        return sorted(names), False
    settled = set(before.pop())
    return (sorted(settled), True) if not before and settled <= names else ([], True)
