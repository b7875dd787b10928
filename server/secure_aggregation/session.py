"""One secure session: keys, shares, masked answers, who is left, and the sum. Sites may be lost between any two steps.

The coordinator only hands on what sites sealed and signed for each other. What it opens at the end is the sum of the
survivors; where fewer than the threshold are left at any step nothing is opened, and what was sent says nothing.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from server.conversation import Conversation
from server.downlink import Asking, Downlink, Reply
from server.patience import Patience
from server.secure_aggregation.joined import Joined, Shared, validating
from server.secure_aggregation.opening import Given, MaskedSum, NotOpened, opened, opened_figures
from server.secure_aggregation.pending import Pending
from server.sites import SiteFailure, Sites, Waiting
from shared_model.config import Config
from shared_model.config.secure_aggregation import FEWEST_SITES
from shared_model.exchange import Payload, fingerprint
from shared_model.secure_aggregation.session import (
    FIELD,
    FIGURES,
    KEYS,
    MASKED,
    REPORT,
    SETTLED,
    SHARES,
    SURVIVORS,
    UNMASK,
    VALIDATED,
    VALIDATING,
    Advert,
    Cohort,
    Round,
    SessionProblem,
    asked_digest,
    content,
    contents_of,
    names_of,
    stage_digest,
    text,
)

SHORT = 60.0  # seconds that others have for a step which needs no training, once there are enough
Read = TypeVar("Read")


class TooFewLeft(Exception):
    """The session ended before anything was opened. reasons: site -> why it is not in it."""

    def __init__(self, step: str, left: int, needed: int, reasons: Mapping[str, str]) -> None:
        told = "; ".join(f"{site}: {reason}" for site, reason in sorted(reasons.items()))
        super().__init__(
            f"{left} sites were left at step {step!r}, {needed} are needed" + f" ({told})" * bool(told)
        )


@dataclass
class SecureSession:
    """One attempt at one round. names: address to site; registered: address to weight; patience: of so many answers and
    so many seconds for the others at most; wait: hears every pause and may raise; quorum: of the run; over: whether
    nothing is left to wait for.

    What it cost and who is out of it stands in the fields below, also where it was broken off.
    """

    sites: Sites
    downlink: Downlink
    config: Config
    names: Mapping[str, str]
    registered: Mapping[str, int]
    patience: Callable[[int, float], Patience]
    wait: Callable[[Waiting], None] = lambda waiting: None
    quorum: int = 1
    over: Callable[[Patience, Asking | Conversation], bool] = lambda patience, asked: patience.over
    reasons: dict[str, str] = field(default_factory=dict)  # site -> why it is out
    bytes_up: dict[str, int] = field(default_factory=dict)
    bytes_down: dict[str, int] = field(default_factory=dict)

    def collect(
        self, about: Round, addresses: Iterable[str], fields: Mapping[str, Any], tensors: int, report: int
    ) -> Pending:
        """The masked sum of the answers to `about.question`, agreed on and not opened.

        tensors, report: how many numbers each has. Raises TooFewLeft, SessionProblem.
        """
        joined = self._keys(about, list(addresses))
        cohort = Cohort.of(
            [one.advert for one in joined.values()],
            self.config.secure_aggregation.left(len(joined)),
            *validating(joined.values(), self.config.secure_aggregation.fewest),
        )
        self._require(KEYS, joined, max(FEWEST_SITES, cohort.threshold))
        places = {name: one.address for name, one in joined.items()}
        shares = self._shares(about, cohort, places)
        self._require(SHARES, shares, cohort.threshold)
        senders = sorted(shares)
        base = self.downlink.fingerprint or fingerprint(self.downlink.base)
        pending = Pending(
            about,
            cohort,
            senders,
            stage_digest(cohort.digest(), senders, asked_digest(fields, base)),
            {name: one.own for name, one in shares.items()},
            MaskedSum(tensors, self.config.secure_aggregation.bits, report),
            figures={name: one.figures for name, one in shares.items() if name in cohort.validating},
        )
        sealed = {name: one.sealed for name, one in shares.items()}
        self._answers(pending, fields, {name: places[name] for name in senders}, sealed)
        left = sorted(pending.total.sites)
        self._require(about.question, left, max(cohort.threshold, self.quorum))
        pending.signatures = self._signatures(about, {name: places[name] for name in left}, cohort.threshold)
        self._require(SURVIVORS, pending.signatures, cohort.threshold)
        return pending

    def open(self, pending: Pending) -> None:
        """Take every mask off the sum. Raises TooFewLeft, NotOpened where what comes back does not fit together."""
        places = {name: address for address, name in self.names.items()}
        asked = [places[name] for name in pending.signatures if name in places]
        given = self._given(pending, asked)
        self._require(UNMASK, given, pending.cohort.threshold)
        total, cohort, stage = pending.total, pending.cohort, pending.stage
        opened(total, cohort, pending.senders, stage, pending.digests, given)
        threshold = self.config.secure_aggregation.left(len(cohort.validating))
        pending.validated = opened_figures(total, cohort, threshold, stage, pending.figures, given)

    def _keys(self, about: Round, addresses: list[str]) -> dict[str, Joined]:
        """By site."""

        seen: set[bytes] = set()

        def read(address: str, answer: Payload) -> Joined:
            advert = Advert.of_answer(answer.fields)
            if advert.site != self.names[address] or advert.round != about:
                raise SessionProblem("sent keys of another site or round")
            if advert.weight != self.registered.get(address):
                raise SessionProblem("gives another weight than it registered")
            keys = {advert.channel, advert.mask, advert.confirm}
            if len(keys) < 3 or keys & seen:
                raise SessionProblem("sent a key that is not its own")
            seen.update(keys)
            return Joined(address, advert, names_of(answer.fields.get(VALIDATED, [])))

        request = Payload(fields={"step": KEYS, **about.to_field()})
        least = self.config.secure_aggregation.left(len(addresses))
        return self._step(dict.fromkeys(addresses, request), least, read)

    def _shares(self, about: Round, cohort: Cohort, places: Mapping[str, str]) -> dict[str, Shared]:
        """By site."""

        def read(address: str, answer: Payload) -> Shared:
            given = contents_of(answer.fields.get("shares"))
            if set(given) != set(cohort.names) - {self.names[address]}:
                raise SessionProblem("sent shares that are not for every other site")
            validates = self.names[address] in cohort.validating
            figures = content(answer.fields.get(FIGURES), 32) if validates else b""
            return Shared(given, content(answer.fields.get("digest"), 32), figures)

        handed = [advert.to_field() for advert in cohort.adverts.values()]
        told = {VALIDATING: list(cohort.validating), SETTLED: cohort.settled}
        request = Payload(fields={"step": SHARES, "session": about.session, "cohort": handed, **told})
        return self._step(dict.fromkeys(places.values(), request), cohort.threshold, read)

    def _answers(
        self,
        pending: Pending,
        fields: Mapping[str, Any],
        places: Mapping[str, str],
        sealed: Mapping[str, Mapping[str, bytes]],
    ) -> None:
        """Ask the question itself, each site with the others' shares for it; add what comes."""
        about = pending.about
        own = {
            address: {
                FIELD: {
                    "session": about.session,
                    "shares": {
                        sender: text(given[name]) for sender, given in sealed.items() if sender != name
                    },
                }
            }
            for name, address in places.items()
        }
        patience = self.patience(max(self.quorum, self.config.secure_aggregation.left(len(places))), math.inf)
        question: Any = about.question
        asking = self.downlink.ask(question, list(places.values()), fields, own=own)
        try:
            for reply in asking:
                if isinstance(reply, Reply):
                    self._count(reply.address, reply.bytes_up, reply.bytes_down)
                    if self._taken(pending, reply):
                        patience.used()
                    continue
                patience.moved(reply.moved)
                self.wait(reply)
                if self.over(patience, asking):
                    break
        finally:
            for address in list(asking.open):
                self._out(address, "gave no answer in time")
            self._count_rest(asking)

    def _taken(self, pending: Pending, reply: Reply) -> bool:
        answer, name = reply.answer, self.names[reply.address]
        if isinstance(answer, SiteFailure):
            self._out(reply.address, answer.reason)
            return False
        try:
            if Round.of(answer.fields) != pending.about:
                raise SessionProblem("answers another round")
            pending.total.add(name, answer.arrays.get(MASKED), answer.arrays.get(REPORT))
            pending.said[name] = answer.fields
        except (SessionProblem, NotOpened) as error:
            self._out(reply.address, str(error))
            return False
        return True

    def _signatures(self, about: Round, places: Mapping[str, str], threshold: int) -> dict[str, bytes]:
        request = Payload(fields={"step": SURVIVORS, "session": about.session, "survivors": sorted(places)})
        return self._step(
            dict.fromkeys(places.values(), request),
            threshold,
            lambda address, answer: content(answer.fields.get("signature"), 64),
        )

    def _given(self, pending: Pending, places: Iterable[str]) -> list[Given]:
        signed = {name: text(signature) for name, signature in pending.signatures.items()}
        request = Payload(fields={"step": UNMASK, "session": pending.about.session, "signatures": signed})

        def read(address: str, answer: Payload) -> Given:
            return Given(*(contents_of(answer.fields.get(part)) for part in ("own", "keys", FIGURES)))

        return list(self._step(dict.fromkeys(places, request), pending.cohort.threshold, read).values())

    def _step(
        self, requests: Mapping[str, Payload], enough: int, read: Callable[[str, Payload], Read]
    ) -> dict[str, Read]:
        """Site -> what was read of its answer to one step; whoever gives another, or none in time, is out.

        read: address and answer to what is used of it; it may raise SessionProblem.
        """
        patience, conversation = self.patience(enough, SHORT), Conversation(self.sites, "secure_aggregation")
        conversation.ask(requests)
        found: dict[str, Read] = {}
        for arrival in conversation:
            if isinstance(arrival, Waiting):
                self.wait(arrival)
                if self.over(patience, conversation):
                    break
                continue
            address, answer = arrival
            if isinstance(answer, SiteFailure):
                self._out(address, answer.reason)
                continue
            try:
                found[self.names[address]] = read(address, answer)
            except SessionProblem as error:
                self._out(address, str(error))
                continue
            patience.used()
        for address in list(conversation.open):
            self._out(address, "gave no answer in time")
        self._count_rest(conversation)
        return found

    def _require(self, step: str, left: Any, needed: int) -> None:
        if len(left) < needed:
            raise TooFewLeft(step, len(left), needed, self.reasons)

    def _count_rest(self, asked: Asking | Conversation) -> None:
        for address, (up, down) in asked.close().items():
            self._count(address, up, down)

    def _count(self, address: str, up: int, down: int) -> None:
        name = self.names.get(address, address)
        self.bytes_up[name] = self.bytes_up.get(name, 0) + up
        self.bytes_down[name] = self.bytes_down.get(name, 0) + down

    def _out(self, address: str, reason: str) -> None:
        self.reasons.setdefault(self.names[address], reason)


def new_round(question: str, number: int) -> Round:
    """A session of its own name."""
    return Round(question, number, secrets.token_hex(16))
