"""The round loop: send the shared tensors, take each update as it arrives, guard it, add it, make the next model.

One message a site a round: the site evaluates the incoming model before it trains, so the validation of round r's
model arrives with the answers of round r + 1, and of the last one with a final `evaluate`. What the sites learn is
measured from the base, which is the model as it reached them, and added to the model, which keeps what rounding
took on the way. Plain Python: whoever carries the messages stands behind server.sites.Sites.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.checkpoint import Checkpoint
from server.collecting import Collecting, Collector
from server.downlink import Downlink, Reply
from server.errors import RunStopped
from server.guard import NormHistory, validation_problem
from server.handshake import Roster
from server.history import RoundRecord, pooled_validation
from server.moved import Moved
from server.schedule import Schedule
from server.secure_aggregation.collecting import SecureCollecting
from server.sites import SiteFailure, Sites
from server.standing import Standing
from server.store import RunFolder
from server.strategies import ServerStrategy
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from shared_model.privacy_statement import site_labels


@dataclass
class RoundLoop:
    """One training run. `label` is the model's name in the history; `on_round` hears each finished record.

    present: addresses of the sites that are there now, by default what the carrier says. wire: what the transport has
    carried so far, None where nothing can tell.
    """

    sites: Sites
    roster: Roster
    config: Config
    standardisation: dict[str, Any]
    folder: RunFolder
    label: str = "federated"
    on_round: Callable[[RoundRecord], None] = lambda record: None
    present: Callable[[], list[str]] | None = None
    wire: Callable[[], Moved | None] = lambda: None
    downlink: Downlink = field(init=False)
    schedule: Schedule = field(init=False)
    strategy: ServerStrategy = field(init=False)
    collector: Collector = field(init=False)

    def __post_init__(self) -> None:
        federation = self.config.federation
        self.downlink = Downlink(self.sites, self.config.exchange)
        self.schedule = Schedule(self.config.training, federation.rounds)
        self.strategy = ServerStrategy(federation)
        self.collector = Collector(
            self.config,
            self.roster,
            self.downlink,
            self.folder,
            self.label,
            self.present or self.sites.addresses,
            NormHistory(federation.norm_screen),
            Standing(federation.suspend_after),
        )

    def run(self, initial: Arrays) -> Arrays:
        """Train from `initial` and return the last model. Writes last and best weights, history and quarantine."""
        self.folder.save_weights("last", initial)  # of no round, it is what a zero-shot figure is of
        return self._go_on(1, initial, RoundRecord(self.label, 0, self.schedule.learning_rate(1)))

    def resume(self, checkpoint: Checkpoint) -> Arrays:
        """Go on after the checkpoint's round and return the last model, as `run` would have without a break."""
        state, number = checkpoint.state, checkpoint.number
        self.schedule.restore(state["schedule"])
        self.strategy.restore(checkpoint.strategy)
        self.downlink.restore(state["downlink"], checkpoint.base, self.roster.names)
        self.collector.norms.norms = list(state["norms"])
        self.collector.standing.restore(state["standing"])
        self.folder.rewind(number)
        return self._go_on(number + 1, checkpoint.model, RoundRecord.restored(state["record"]))

    def _go_on(self, first: int, model: Arrays, record: RoundRecord) -> Arrays:
        """Rounds from `first` on. record: of the model, whose validation is not known yet."""
        before = self.wire()
        for number in range(first, self.config.federation.rounds + 1):
            if self.folder.stop_requested():
                raise RunStopped(number)
            following = RoundRecord(self.label, number, self.schedule.learning_rate(number))
            collecting = self._kind()(self.collector, number, model, record, following)
            moved = collecting.collect(self._fields(number, following.learning_rate))
            before, (following.wire_up, following.wire_down) = self._passed(before)
            self._close(record, model)
            if self.schedule.finished:
                return model
            model = self.strategy.next_model(number, model, moved)
            self.folder.save_weights("last", model)
            record = following
            self._checkpoint(number, model, record)
        self._final_validation(model, record)
        _, (record.evaluation_wire_up, record.evaluation_wire_down) = self._passed(before)
        self._close(record, model)
        return model

    def _passed(self, before: Moved | None) -> tuple[Moved | None, tuple[int | None, int | None]]:
        """What the transport has carried until now, and how much of it since `before`: no byte counts in two rounds."""
        now = self.wire()
        if now is None:
            return None, (None, None)
        since = before or Moved(0, 0)  # there was no log yet
        return now, (now.up - since.up, now.down - since.down)

    def _fields(self, number: int, learning_rate: float | None = None) -> dict[str, Any]:
        return {"round": number, "learning_rate": learning_rate, "standardisation": self.standardisation}

    def _checkpoint(self, number: int, model: Arrays, record: RoundRecord) -> None:
        if self.folder.checkpoints is None:
            return
        state = {
            "schedule": self.schedule.state(),
            "downlink": self.downlink.state(self.roster.names),
            "norms": self.collector.norms.norms,
            "standing": self.collector.standing.to_dict(),
            "record": record.state(),
        }
        base = self.downlink.base if self.config.exchange.downlink == "int8" else {}
        self.folder.checkpoints.save(Checkpoint(number, model, base, self.strategy.state(), state))
        self.folder.round_complete(number)

    def _kind(self) -> type[Collecting]:
        return SecureCollecting if self.config.secure_aggregation.enabled else Collecting

    def _final_validation(self, model: Arrays, record: RoundRecord) -> None:
        if self.config.secure_aggregation.enabled:
            SecureCollecting(self.collector, record.number, model, record, record).validate(
                self._fields(record.number)
            )
            return
        self.downlink.offer(model)
        asked = self.collector.asked()
        patience = self.collector.patience(len(asked) * sum(array.nbytes for array in model.values()))
        asking = self.downlink.ask("evaluate", asked, self._fields(record.number))
        for reply in asking:
            if isinstance(reply, Reply):
                record.evaluation_bytes_up += reply.bytes_up
                record.evaluation_bytes_down += reply.bytes_down
                if self._validated(reply, record):
                    patience.used()
                continue
            patience.moved(reply.moved)
            if self.collector.may_close(patience, asking):
                break
        missing = list(asking.open)
        for up, down in asking.close().values():
            record.evaluation_bytes_up += up
            record.evaluation_bytes_down += down
        for address in missing:
            self._left_out(record.number, self.roster.names[address], "gave no answer in time")

    def _validated(self, reply: Reply, record: RoundRecord) -> bool:
        name, answer = self.roster.names[reply.address], reply.answer
        if isinstance(answer, SiteFailure):
            self._left_out(record.number, name, answer.reason)
            return False
        if problem := validation_problem(answer.fields.get("validation")):
            self._left_out(record.number, name, problem)
            return False
        record.validations[name] = answer.fields["validation"]
        return True

    def _close(self, record: RoundRecord, model: Arrays) -> None:
        """A round is finished once its model's validation is known."""
        loss = pooled_validation(record.validations)["loss"]
        best = self.schedule.best
        self.schedule.observe(loss)
        # A model without figures takes the place of others without, and of none that has them.
        unknown = loss is None and math.isinf(best)
        if record.number == 0 or self.schedule.best < best or unknown:
            self.folder.save_weights("best", model)
        row = record.to_dict()
        for name, label in site_labels(self.config, row["sites"]).items():
            row["sites"][name]["privacy"] = label
        self.folder.append_history(row)
        self.on_round(record)

    def _left_out(self, number: int, site: str, reason: str) -> None:
        row = {"model": self.label, "round": number, "site": site, "reason": reason}
        self.folder.append_quarantine(row, absent=True)
