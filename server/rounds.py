"""The round loop: send the shared tensors, take each update as it arrives, guard it, add it, make the next model.

One message a site a round: the site evaluates the incoming model before it trains, so the validation of round r's
model arrives with the answers of round r + 1, and of the last one with a final `evaluate`. What the sites learn is
measured from the base, which is the model as it reached them, and added to the model, which keeps what rounding
took on the way. Plain Python: whoever carries the messages stands behind server.sites.Sites.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from server.downlink import Downlink, Reply
from server.guard import UpdateGuard, opened, validation_problem
from server.handshake import Roster
from server.history import RoundRecord, Site, pooled_validation
from server.schedule import Schedule
from server.sites import Question, SiteFailure, Sites
from server.store import RunFolder
from server.strategies import ServerStrategy
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import CodecError, FixedPointSum, Payload
from shared_model.exchange.parameters import Arrays


@dataclass
class RoundLoop:
    """One training run. `label` is the model's name in the history; `on_round` hears each finished record."""

    sites: Sites
    roster: Roster
    config: Config
    standardisation: dict[str, Any]
    folder: RunFolder
    label: str = "federated"
    on_round: Callable[[RoundRecord], None] = lambda record: None
    downlink: Downlink = field(init=False)

    def __post_init__(self) -> None:
        self.downlink = Downlink(self.sites, self.config.exchange)

    def run(self, initial: Arrays) -> Arrays:
        """Train from `initial` and return the last model. Writes last and best weights, history and quarantine."""
        schedule = Schedule(self.config.training, self.config.federation.rounds)
        strategy = ServerStrategy(self.config.federation)
        model = initial
        self.folder.save_weights("last", initial)  # of no round, it is what a zero-shot figure is of
        record = RoundRecord(self.label, 0, schedule.learning_rate(1))
        for number in range(1, self.config.federation.rounds + 1):
            following = RoundRecord(self.label, number, schedule.learning_rate(number))
            total = self._train_round(number, model, record, following)
            self._close(record, model, schedule)
            if schedule.finished:
                return model
            model = strategy.next_model(number, model, total.mean(onto=model))
            self.folder.save_weights("last", model)
            record = following
        self._final_validation(model, record)
        self._close(record, model, schedule)
        return model

    def _train_round(
        self, number: int, model: Arrays, incoming: RoundRecord, trained: RoundRecord
    ) -> FixedPointSum:
        """Ask every site once; validation goes to the incoming model's record, the rest to this round's."""
        started = time.perf_counter()
        guard = UpdateGuard(self.config.federation.norm_bound, self.roster.examples)
        total = FixedPointSum(self.downlink.offer(model))
        refused: dict[str, str] = {}
        for reply in self._ask("train", number, trained.learning_rate):
            name = self.roster.names[reply.address]
            trained.bytes_down += reply.bytes_down
            trained.bytes_up += reply.bytes_up
            answer = self._used(reply, guard, total, number)
            if isinstance(answer, SiteFailure):
                refused[name] = answer.reason
                self._quarantine(number, name, answer.reason)
                continue
            self.downlink.taken(reply.address, number)
            incoming.validations[name] = answer.fields["validation"]
            trained.sites[name] = Site.of(answer.fields, reply.bytes_up, reply.bytes_down)
        trained.seconds = time.perf_counter() - started
        self._check_quorum(number, len(trained.sites), refused)
        return total

    def _used(
        self, reply: Reply, guard: UpdateGuard, total: FixedPointSum, number: int
    ) -> Payload | SiteFailure:
        """The answer, its update added to the total; or why it was not."""
        answer, base = reply.answer, self.downlink.base
        if isinstance(answer, SiteFailure):
            return answer
        if problem := guard.header_problem(reply.address, answer, number):
            return SiteFailure(problem)
        try:
            update = opened(answer, base, self.downlink.fingerprint, self.config.exchange.uplink)
            if problem := guard.problem(reply.address, update, base, number):
                return SiteFailure(problem)
            # What a site's records could not train is not averaged with what the others learnt.
            total.add(update.arrays, int(answer.fields["examples"]), answer.fields.get("untrained", ()))
        except (CodecError, OverflowError) as error:
            return SiteFailure(str(error))
        return answer

    def _ask(self, question: Question, number: int, learning_rate: float | None = None) -> Iterator[Reply]:
        fields = {"round": number, "learning_rate": learning_rate, "standardisation": self.standardisation}
        return self.downlink.ask(question, self.roster.names, fields)

    def _final_validation(self, model: Arrays, record: RoundRecord) -> None:
        self.downlink.offer(model)
        for reply in self._ask("evaluate", record.number):
            name, answer = self.roster.names[reply.address], reply.answer
            record.evaluation_bytes_up += reply.bytes_up
            record.evaluation_bytes_down += reply.bytes_down
            if isinstance(answer, SiteFailure):
                self._quarantine(record.number, name, answer.reason)
            elif problem := validation_problem(answer.fields.get("validation")):
                self._quarantine(record.number, name, problem)
            else:
                record.validations[name] = answer.fields["validation"]

    def _close(self, record: RoundRecord, model: Arrays, schedule: Schedule) -> None:
        """A round is finished once its model's validation is known."""
        loss = pooled_validation(record.validations)["loss"]
        best = schedule.best
        schedule.observe(loss)
        if record.number == 0 or schedule.best < best or (loss is None and record.number > 0):
            self.folder.save_weights("best", model)
        self.folder.append_history(record.to_dict())
        self.on_round(record)

    def _quarantine(self, number: int, site: str, reason: str) -> None:
        self.folder.append_quarantine({"model": self.label, "round": number, "site": site, "reason": reason})

    def _check_quorum(self, number: int, usable: int, refused: dict[str, str]) -> None:
        quorum = self.config.federation.quorum
        if usable < quorum:
            reasons = "; ".join(f"{site}: {reason}" for site, reason in sorted(refused.items()))
            raise RunError(
                f"round {number} had {usable} usable updates, the quorum is {quorum} ({reasons})",
                where=f"model {self.label}",
                fix="mend what those sites say, then run again",
            )
