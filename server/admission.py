"""Who is there now: sites that come back under another address, and sites that join a run under way.

A newcomer passes the same comparison as everybody before the first round. The pooled statistics stay those of the
sites that began: the model's standardisation must not move under the others. A newcomer that differs is turned away
and the run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server.errors import CoordinatorError
from server.handshake import Roster, Terms, admit, ask_all, name_of
from server.sites import SiteFailure, Sites
from server.store import RunFolder
from shared_model.config.federation import FederationConfig
from shared_model.exchange import Payload
from shared_model.exchange.fixed_point import LARGEST_WEIGHT

JOIN_SECONDS = 60.0  # that the others wait for a newcomer's answer


@dataclass
class Admission:
    """Keeps the roster of a run true. turned_away: addresses that are not asked again while they stay."""

    sites: Sites
    roster: Roster
    terms: Terms
    folder: RunFolder
    turned_away: set[str] = field(default_factory=set)

    def present(self) -> list[str]:
        """Addresses of roster's sites that are there now, newcomers among them."""
        there = self.sites.addresses()
        self.turned_away &= set(there)
        unknown = [a for a in there if a not in self.roster.names and a not in self.turned_away]
        if unknown:
            limits = FederationConfig(quorum=len(unknown), silence=JOIN_SECONDS)
            for address, answer in ask_all(self.sites, "join", unknown, limits):
                self._hear(address, answer, there)
        return [address for address in there if address in self.roster.names]

    def _hear(self, address: str, answer: Payload | SiteFailure, there: list[str]) -> None:
        if isinstance(answer, SiteFailure):
            self.turned_away.add(address)
            return
        self._forget_gone(name_of(address, answer.fields), there)
        try:
            name = admit(self.roster, address, answer, self.terms)
        except CoordinatorError as error:
            self.turned_away.add(address)
            self.folder.event("turned away", address=address, code=error.code.value, reason=error.what)
            return
        examples = self.roster.examples[address]
        if examples == 0 or sum(self.roster.examples.values()) > LARGEST_WEIGHT:
            del self.roster.names[address], self.roster.examples[address]
            self.turned_away.add(address)
            self.folder.event("turned away", site=name, reason=f"registers {examples} training records")
            return
        self.folder.event("joined", site=name, examples=examples)

    def _forget_gone(self, name: str, there: list[str]) -> None:
        """A site that comes back under another address takes its place again."""
        for old in [a for a, known in self.roster.names.items() if known == name and a not in there]:
            del self.roster.names[old], self.roster.examples[old]
