"""One round's updates: who is asked, what of the answers is used, and when the round closes.

Where the configuration sets no time limit (simulation) every site that is asked answers and the round closes then.
Otherwise sites that fail, come back or come new are asked again while the quorum is not reached, and a round that has
it closes after the grace time. Whatever arrives later is dropped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from server.aggregation import Aggregate, aggregate_of
from server.conversation import Conversation
from server.downlink import Asking, Downlink, Reply
from server.errors import Code, CoordinatorError, RunStopped
from server.guard import NormHistory, UpdateGuard, clipped, opened
from server.handshake import Roster
from server.history import RoundRecord, Site
from server.patience import Clock, Patience
from server.sites import SiteFailure, Waiting
from server.standing import Standing
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import CodecError, Payload
from shared_model.exchange.parameters import Arrays

RETRY_SECONDS = 10.0  # between two looks for sites that failed or came back


@dataclass
class Collector:
    """What lives from round to round. present: addresses of the sites that are there now, newcomers admitted."""

    config: Config
    roster: Roster
    downlink: Downlink
    folder: RunFolder
    label: str
    present: Callable[[], list[str]]
    norms: NormHistory
    standing: Standing
    clock: Clock = time.monotonic

    def patience(self, expected: int = 0) -> Patience:
        """The clock of a question that every site is asked."""
        federation = self.config.federation
        return Patience(federation.minimum, federation.grace, federation.silence, expected, self.clock)

    def asked(self) -> list[str]:
        """Addresses that a round may ask."""
        self.standing.suspended.update(self.folder.suspended())
        self.standing.readmit(self.folder.readmitted())
        names = self.roster.names
        present = self.present() if self.config.federation.silence else names
        return [a for a in present if a in names and names[a] not in self.standing.suspended]

    def may_close(self, patience: Patience, asking: Asking | Conversation) -> bool:
        """Whether nothing is left to wait for: time is up, or only sites that never answer are missing."""
        if patience.over:
            return True
        names = self.roster.names
        open_ones = [
            names[a] for a in asking.open if a in names
        ]  # one may have come back under another address
        return patience.satisfied and not any(self.standing.awaited(name) for name in open_ones)


@dataclass
class Collecting:
    """The updates of round `number` of `model`; validation goes to `incoming`, everything else to `trained`."""

    collector: Collector
    number: int
    model: Arrays
    incoming: RoundRecord
    trained: RoundRecord
    _refused: dict[str, str] = field(default_factory=dict)  # site -> why its answer was not used
    _done: set[str] = field(default_factory=set)  # addresses whose answer was used or refused for good
    _bad: set[str] = field(default_factory=set)  # sites whose update was refused
    _up: Counter[str] = field(default_factory=Counter)  # site -> bytes, of all its messages so far
    _down: Counter[str] = field(default_factory=Counter)
    _looked: float = 0.0

    def collect(self, fields: dict[str, object]) -> Arrays:
        """Ask, wait and aggregate; the model moved by the round. Raises CoordinatorError for a missing quorum."""
        own, federation = self.collector, self.collector.config.federation
        base = own.downlink.offer(self.model)
        guard = UpdateGuard(federation.norm_bound, own.roster.examples, own.norms.bound)
        total = aggregate_of(federation, base, own.folder.path)
        started = time.perf_counter()
        try:
            self._hear(fields, guard, total)
            self.trained.seconds = time.perf_counter() - started
            self._require_quorum()
            own.norms.extend({own.roster.names[a]: guard.norms[a] for a in self._done if a in guard.norms})
            return total.onto(self.model, self._caught())
        finally:
            total.close()

    def _hear(self, fields: dict[str, object], guard: UpdateGuard, total: Aggregate) -> None:
        own, asked = self.collector, self.collector.asked()
        waits = own.config.federation.silence > 0
        patience = own.patience(2 * len(asked) * sum(array.nbytes for array in self.model.values()))
        patience.require(own.config.federation.needed(self._caught()))
        asking = own.downlink.ask("train", asked, fields, lambda: waits and not patience.satisfied)
        self._looked = own.clock()
        try:
            for reply in asking:
                if isinstance(reply, Reply):
                    self._take(reply, guard, total, patience)
                    continue
                self._wait(reply, asking, patience)
                if own.may_close(patience, asking):
                    break
        finally:
            missing = list(asking.open)
            for up, down in asking.close().values():
                self.trained.bytes_up += up
                self.trained.bytes_down += down
        for address in missing:
            self._absent(address, "gave no answer in time")

    def _take(self, reply: Reply, guard: UpdateGuard, total: Aggregate, patience: Patience) -> None:
        own, name = self.collector, self.collector.roster.names.get(reply.address)
        self.trained.bytes_down += reply.bytes_down
        self.trained.bytes_up += reply.bytes_up
        if name is None:
            return  # the site has come back under another address, and answers from there
        self._up[name] += reply.bytes_up
        self._down[name] += reply.bytes_down
        if isinstance(reply.answer, SiteFailure):
            self._absent(reply.address, reply.answer.reason)
            return
        self._done.add(reply.address)
        if problem := self._problem(reply.address, reply.answer, guard, total):
            guard.norms.pop(reply.address, None)
            self._refuse(name, problem)
            patience.require(own.config.federation.needed(self._caught()))
            return
        patience.used()
        self._refused.pop(name, None)
        own.downlink.taken(reply.address, self.number)
        own.standing.used(name)
        self.incoming.validations[name] = reply.answer.fields["validation"]
        self.trained.sites[name] = Site.of(reply.answer.fields, self._up[name], self._down[name])
        package = own.roster.packages.get(reply.address)  # that it joined with
        own.folder.took_part(self.number, name, {"package": package, **reply.answer.fields})

    def _problem(self, address: str, answer: Payload, guard: UpdateGuard, total: Aggregate) -> str | None:
        """Why an answer is not used; None once its update is in the total."""
        own, config = self.collector, self.collector.config
        if problem := guard.header_problem(address, answer, self.number):
            return problem
        base = own.downlink.base
        try:
            update = opened(answer, base, own.downlink.fingerprint, config.exchange.uplink)
            if problem := guard.problem(address, update, base, self.number):
                return problem
            arrays = clipped(update.arrays, base, guard.norms[address], config.federation.norm_clip)
            # What a site's records could not train is not averaged with what the others learnt.
            without = answer.fields.get("untrained", ())
            total.add(own.roster.names[address], arrays, int(answer.fields["examples"]), without)
        except (CodecError, OverflowError) as error:
            return str(error)
        return None

    def _wait(self, waiting: Waiting, asking: Asking, patience: Patience) -> None:
        own = self.collector
        if own.folder.stop_requested():
            raise RunStopped(self.number)
        for address in waiting.late:
            own.folder.event(
                "late answer dropped", round=self.number, site=own.roster.names.get(address, address)
            )
        for address in waiting.again:
            own.folder.event("asked again", round=self.number, site=own.roster.names.get(address, address))
        patience.moved(waiting.moved)
        if not patience.satisfied and own.clock() - self._looked >= RETRY_SECONDS:
            self._looked = own.clock()
            asking.more([a for a in own.asked() if a not in self._done and a not in asking.open])

    def _caught(self) -> int:
        """Sites that have shown that they cannot be believed: refused in this round, or suspended."""
        return len(self._bad | self.collector.standing.suspended)

    def _refuse(self, name: str, reason: str) -> None:
        own = self.collector
        self._bad.add(name)
        self._refused[name] = reason
        own.folder.append_quarantine(
            {"model": own.label, "round": self.number, "site": name, "reason": reason}
        )
        if own.standing.refused(name):
            own.folder.suspend(name, self.number, reason)

    def _absent(self, address: str, reason: str) -> None:
        """A site that gave no update; it may be asked again in this round, and is noted once."""
        own, name = self.collector, self.collector.roster.names.get(address)
        if name is None or self._refused.get(name) == reason:
            return
        if name not in self._refused:
            own.standing.missed(name)
        self._refused[name] = reason
        own.folder.append_quarantine(
            {"model": own.label, "round": self.number, "site": name, "reason": reason}, absent=True
        )

    def _require_quorum(self) -> None:
        own, usable = self.collector, len(self.trained.sites)
        minimum = own.config.federation.needed(self._caught())
        if usable >= minimum:
            return
        reasons = "; ".join(f"{site}: {reason}" for site, reason in sorted(self._refused.items()))
        away = ", ".join(sorted(own.standing.suspended))
        raise CoordinatorError(
            Code.BELOW_QUORUM,
            f"round {self.number} had {usable} usable updates, the quorum is {minimum} ({reasons})"
            + (f"; suspended: {away}" if away else ""),
            where=f"model {own.label}",
            fix="mend what those sites say, then run again",
        )
