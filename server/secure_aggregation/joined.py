"""What sites say before a secure round has begun, and whose validation figures are asked for with it.

Sites help to open the validation figures of one list of sites in a run, the first, and tell which; the coordinator asks
for those of that list, and for nobody's while one of it is away. Each says under its signature of which tasks it has
figures: one that adds nothing would leave the sum to the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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


def validating(joined: Iterable[Joined], fewest: Callable[[int], int]) -> tuple[list[str], bool]:
    """Whose validation figures to ask for, and whether these are the sites of earlier sums. fewest: of so many.

    Before the first sum the most sites that have figures of the same tasks to tell; then those of the list that most
    sites remember; nobody's where these are too few, or where one of them is away, tells of other tasks, or remembers
    another list. (A list that few remember is of a session that broke off while it was opened.)
    """
    here = {one.advert.site: one for one in joined}
    held = Counter(tuple(one.validated) for one in here.values() if one.validated)
    if held:
        most = sorted(names for names, count in held.items() if count == max(held.values()))
        return next((list(names) for names in most if _usable(names, here, fewest)), []), True
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, one in sorted(here.items()):
        if one.advert.tells:
            groups.setdefault(one.advert.tells, []).append(name)
    _, _, found = max(
        ((len(names), len(tells), names) for tells, names in groups.items()), default=(0, 0, [])
    )
    return found if len(found) >= fewest(len(found)) else [], False


def _usable(names: tuple[str, ...], here: Mapping[str, Joined], fewest: Callable[[int], int]) -> bool:
    members = [here[name] for name in names if name in here]
    tells = {one.advert.tells for one in members}
    bound = all(tuple(one.validated) in ((), names) for one in members)
    return len(members) == len(names) >= fewest(len(names)) and bound and len(tells) == 1 and () not in tells
