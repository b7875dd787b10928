"""How each site stands in a run: whose updates were refused and how often, who is suspended, who keeps others waiting.

A site whose updates were refused in several rounds is asked no more until a person readmits it. One that missed
several rounds is still asked, but nobody waits for it once there are enough answers without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MISSED = 2  # rounds in a row after which nobody waits for a site


class Standing:
    """By site name. suspend_after: rounds with a refused update, 0 for never."""

    def __init__(self, suspend_after: int) -> None:
        self.suspended: set[str] = set()
        self._suspend_after = suspend_after
        self._refused: dict[str, int] = {}
        self._missed: dict[str, int] = {}

    def used(self, site: str) -> None:
        """Its update was used."""
        self._missed.pop(site, None)

    def missed(self, site: str) -> None:
        """It gave no answer in a round."""
        self._missed[site] = self._missed.get(site, 0) + 1

    def refused(self, site: str) -> bool:
        """Its update was refused; whether it is suspended by that."""
        self._missed.pop(site, None)
        self._refused[site] = self._refused.get(site, 0) + 1
        if self._suspend_after and self._refused[site] >= self._suspend_after:
            self.suspended.add(site)
            return True
        return False

    def readmit(self, sites: Iterable[str]) -> None:
        """A person has decided that these may take part again."""
        for site in self.suspended.intersection(sites):
            self.suspended.discard(site)
            self._refused.pop(site, None)

    def awaited(self, site: str) -> bool:
        """Whether others wait for it."""
        return self._missed.get(site, 0) < MISSED

    def to_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"refused": self._refused, "missed": self._missed, "suspended": sorted(self.suspended)}

    def restore(self, document: Mapping[str, Any]) -> None:
        """What to_dict gave."""
        self._refused, self._missed = dict(document["refused"]), dict(document["missed"])
        self.suspended = set(document["suspended"])
