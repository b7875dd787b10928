"""A coordinator that takes the steps of a secure round one by one, so that a test can make it take a wrong one."""

from __future__ import annotations

from typing import Any

from secure_sites import SecureSites, model

from server.secure_aggregation.session import new_round
from shared_model.exchange import Payload
from shared_model.secure_aggregation.session import Advert, content, text

SITES = [f"site-{n:02d}" for n in range(5)]
VICTIM = "site-01"


class Talk:
    """A coordinator that takes the steps one by one, so that it can take a wrong one."""

    def __init__(
        self, sites: SecureSites, names: list[str] | None = None, number: int = 1, question: str = "train"
    ) -> None:
        self.sites, self.names = sites, names or SITES
        self.about = new_round(question, number)
        self.validating, self.settled = self.names, False  # whose validation figures are asked for
        self.base = model()
        self.adverts: dict[str, dict[str, Any]] = {}
        self.digests: dict[str, bytes] = {}
        self.figures: dict[str, bytes] = {}
        self.sealed: dict[str, dict[str, str]] = {}
        self.signatures: dict[str, str] = {}

    def step(self, site: str, step: str, **fields: Any) -> dict[str, Any]:
        given = {"step": step, "session": self.about.session, **fields}
        return self.sites.answer(step, site, Payload(fields=given)).fields

    def keys(self) -> None:
        for site in self.names:
            self.adverts[site] = Advert.of_answer(self.step(site, "keys", **self.about.to_field())).to_field()

    def cohort(self) -> dict[str, Any]:
        """What the step `shares` brings."""
        cohort = list(self.adverts.values())
        return {"cohort": cohort, "validating": self.validating, "settled": self.settled}

    def shares(self) -> None:
        for site in self.names:
            answer = self.step(site, "shares", **self.cohort())
            self.sealed[site] = answer["shares"]
            self.digests[site] = content(answer["digest"], 32)
            self.figures[site] = content(answer.get("figures", text(bytes(32))), 32)

    def request(self, site: str, **changed: Any) -> Payload:
        shares = {sender: given[site] for sender, given in self.sealed.items() if sender != site}
        fields = {
            "round": self.about.number,
            "learning_rate": 1e-4,
            "standardisation": {},
            "secure": {"session": self.about.session, "shares": shares},
        }
        return Payload(self.base, fields | changed)

    def train(self, names: list[str] | None = None) -> None:
        for site in names or self.names:
            self.sites.answer("train", site, self.request(site))

    def survivors(self, left: list[str]) -> None:
        for site in left:
            self.signatures[site] = self.step(site, "survivors", survivors=left)["signature"]

    def through(self, *steps: str) -> Talk:
        for step in steps:
            getattr(self, step)()
        return self
