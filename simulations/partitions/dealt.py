"""What every kind of partition hands back, and how sites are named after what they hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulations.partitions.units import Unit


@dataclass(frozen=True)
class Dealt:
    """sites: name -> its units, in order. proxy: whether the sites only stand in for real centres.

    notices: sentences for the person.
    """

    sites: dict[str, list[Unit]]
    proxy: bool = False
    notices: list[str] = field(default_factory=list)


def numbered(count: int) -> list[str]:
    """site-1, site-2, ..."""
    return [f"site-{i}" for i in range(1, count + 1)]


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Name -> a name fit for files and keys: `São Paulo 1` -> `sao-paulo-1`; two names never share one."""
    taken: dict[str, str] = {}
    for name in names:
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        base = re.sub(r"[^a-z0-9]+", "-", ascii_name.casefold()).strip("-")[:40] or "site"
        slug, n = base, 1
        while slug in taken.values():
            n += 1
            slug = f"{base}-{n}"
        taken[name] = slug
    return taken
