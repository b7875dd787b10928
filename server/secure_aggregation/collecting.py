"""A round's updates under secure aggregation: the same round as server.collecting's, of which only the sum is seen.

No update can be guarded here; sites hold theirs to the bounds before they mask them. What is held against the bounds is
the sum. Where too few sites are left nothing was opened, and a deployed run tries the round again with whoever is
there until nobody has been heard for federation.silence.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from server.collecting import RETRY_SECONDS, Collecting
from server.errors import Code, CoordinatorError, RunStopped
from server.history import TOGETHER, Site
from server.patience import Patience
from server.secure_aggregation.opening import MaskedSum, NotOpened
from server.secure_aggregation.pending import Pending, forget
from server.secure_aggregation.session import SecureSession, TooFewLeft, new_round
from server.sites import Waiting
from shared_model.exchange import FixedPointSum, fingerprint
from shared_model.exchange.fixed_point import SCALE_BITS
from shared_model.exchange.parameters import Arrays
from shared_model.secure_aggregation.field import decoded, scales, sizes
from shared_model.secure_aggregation.report import ReportProblem, from_words, length
from shared_model.secure_aggregation.session import (
    MOST_SITES,
    Cohort,
    SessionProblem,
    asked_digest,
    stage_digest,
)


class SecureCollecting(Collecting):
    """The updates of round `number` of `model`, masked; figures of all sites together go into the records."""

    def collect(self, fields: dict[str, object]) -> Arrays:
        """Ask, wait and open; the model moved by the round. Raises CoordinatorError where the sum is not opened."""
        own = self.collector
        base = own.downlink.offer(self.model)
        started = time.perf_counter()
        found = self._opened("train", fields, sizes(base), length(len(base)))
        self.trained.seconds = time.perf_counter() - started
        total, cohort = found.total, found.cohort
        weight = sum(cohort.adverts[name].weight for name in total.sites)
        try:
            told = from_words(total.told, len(total.sites), weight, sorted(base))
            moved = self._sum(total, cohort, base, fields, told["weights"], weight)
        except (ReportProblem, OverflowError) as error:
            raise self._not_opened(str(error)) from None
        self.incoming.validations = {TOGETHER: told.pop("validation")}
        del told["weights"]
        self.trained.together = {**told, "numbers": sizes(base) * len(total.sites)}
        return moved.mean(onto=self.model)

    def validate(self, fields: dict[str, object]) -> bool:
        """How good `model` is at all sites together, into the incoming record; False where that is not known."""
        self.collector.downlink.offer(self.model)
        forget(self.collector.folder.path)
        try:
            found = self._opened("evaluate", fields, 0, length(0))
            total, cohort = found.total, found.cohort
            weight = sum(cohort.adverts[name].weight for name in total.sites)
            told = from_words(total.told, len(total.sites), weight)
        except (CoordinatorError, ReportProblem) as error:
            if isinstance(error, RunStopped):
                raise
            self.collector.folder.event("the last model was not validated", reason=str(error))
            return False
        self.incoming.validations = {TOGETHER: told["validation"]}
        return True

    def _opened(self, question: str, fields: dict[str, object], tensors: int, report: int) -> Pending:
        """The sum of one session; sessions that opened nothing are begun anew while there is time."""
        own = self.collector
        until: float | None = None  # set by the first session that opened nothing
        keeps = question == "train" and own.folder.checkpoints is not None
        pending = self._kept(fields) if keeps else None
        tried: Pending | None = None  # that could not be opened
        while True:
            session = self._session()
            try:
                if pending is None:
                    about = new_round(question, self.number)
                    pending = session.collect(about, self._asked(), fields, tensors, report)
                    if keeps:
                        pending.save(own.folder.path)
                session.open(pending)
            except TooFewLeft as error:
                # Who has given its shares gives them again, and begins the round with nobody else.
                pending, tried = (None, None) if tried is pending else (pending, pending)
                self._account(session, question)
                if until is None:
                    until = own.clock() + (own.config.federation.silence if question == "train" else 0.0)
                if own.clock() >= until:
                    raise self._too_few(str(error)) from None
                self._pause()
                continue
            except (NotOpened, SessionProblem) as error:
                raise self._not_opened(str(error)) from None
            self._account(session, question)
            if not pending.validated:
                why = "too few sites have figures of the same tasks to tell, or those summed before are not all here"
                own.folder.event("validation figures not opened", round=self.number, reason=why)
            if question == "train":
                self._took_part(pending)
            return pending

    def _asked(self) -> list[str]:
        found = self.collector.asked()
        if len(found) > MOST_SITES:
            raise CoordinatorError(
                Code.BAD_COUNT,
                f"secure aggregation adds up at most {MOST_SITES} sites in a round, {len(found)} are there",
                where=f"model {self.collector.label}",
                fix="use fewer sites, or set secure_aggregation.enabled = false",
            )
        return found

    def _session(self) -> SecureSession:
        own = self.collector
        return SecureSession(
            own.downlink.sites,
            own.downlink,
            own.config,
            own.roster.names,
            own.roster.examples,
            self._patience,
            self._heard,
            own.config.federation.needed(self._caught()),
            own.may_close,
        )

    def _kept(self, fields: dict[str, object]) -> Pending | None:
        """What a coordinator that died had agreed on with the sites, where it is of this round and of these tensors."""
        own = self.collector
        found = Pending.load(own.folder.path)
        if found is None or (found.about.question, found.about.number) != ("train", self.number):
            return None
        base = own.downlink.fingerprint or fingerprint(own.downlink.base)
        stage = stage_digest(found.cohort.digest(), found.senders, asked_digest(fields, base))
        if found.stage != stage or not set(found.total.sites) <= set(own.roster.names.values()):
            return None
        own.folder.event("asked again to open", round=self.number)
        return found

    def _sum(
        self,
        total: MaskedSum,
        cohort: Cohort,
        base: Arrays,
        fields: dict[str, Any],
        weights: dict[str, int],
        weight: int,
    ) -> FixedPointSum:
        """The opened numbers as the running sum that updates in the clear would have made.

        Raises OverflowError where its mean is further from the base than any site's update may be.
        """
        own, sites = self.collector, len(cohort.adverts)
        found = scales(own.config, base, float(fields["learning_rate"]), cohort.weight, sites)
        summed, start, square, rounding = FixedPointSum(base), 0, 0.0, 0.0
        for name in sorted(base):
            array = base[name]
            summed.sums[name] = decoded(total.vector[start : start + array.size], found[name], array.shape)
            start += array.size
            summed.weights[name] = weights[name]
            square += float(np.square(summed.sums[name] / (weight * 2.0**SCALE_BITS)).sum())
            rounding += array.size * (sites * 2.0 ** (found[name].shift - SCALE_BITS - 1) / weight) ** 2
        summed.weight = weight
        if not math.sqrt(square) <= own.config.federation.norm_bound * 1.001 + math.sqrt(rounding):
            raise OverflowError(f"the norm of the sites' mean passes {own.config.federation.norm_bound:g}")
        return summed

    def _took_part(self, pending: Pending) -> None:
        own, cohort = self.collector, pending.cohort
        trained = {part for advert in cohort.adverts.values() for part in advert.trains}
        if alone := sorted(trained - cohort.trained_by_several()):
            why = f"one site of the round alone trains: {', '.join(alone)}"
            own.folder.event("part of the model left out of the sum", round=self.number, reason=why)
        places = {name: address for address, name in own.roster.names.items()}
        for name in sorted(set(pending.total.sites) & places.keys()):
            weight, address = cohort.adverts[name].weight, places[name]
            own.downlink.taken(address, self.number)
            own.standing.used(name)
            self._refused.pop(name, None)
            self.trained.sites[name] = Site(weight, None, {}, {}, 0.0, self._up[name], self._down[name])
            package = own.roster.packages.get(address)
            said = {
                key: value for key, value in pending.said[name].items() if key not in ("session", "question")
            }
            own.folder.took_part(self.number, name, {"package": package, **said, "examples": weight})

    def _account(self, session: SecureSession, question: str) -> None:
        """What a session cost, and who was out of it."""
        places = {name: address for address, name in self.collector.roster.names.items()}
        for name, reason in sorted(session.reasons.items()):
            if name in places:
                self._absent(places[name], reason)
        up, down = sum(session.bytes_up.values()), sum(session.bytes_down.values())
        if question == "train":
            self._up.update(session.bytes_up)
            self._down.update(session.bytes_down)
            self.trained.bytes_up, self.trained.bytes_down = (
                self.trained.bytes_up + up,
                self.trained.bytes_down + down,
            )
        else:
            self.incoming.evaluation_bytes_up += up
            self.incoming.evaluation_bytes_down += down

    def _patience(self, enough: int, seconds: float) -> Patience:
        own, federation = self.collector, self.collector.config.federation
        expected = 2 * len(own.roster.names) * sum(array.nbytes for array in self.model.values())
        return Patience(enough, min(federation.grace, seconds), federation.silence, expected, own.clock)

    def _heard(self, waiting: Waiting) -> None:
        own = self.collector
        if own.folder.stop_requested():
            raise RunStopped(self.number)
        for address in waiting.late:
            name = own.roster.names.get(address, address)
            own.folder.event("late answer dropped", round=self.number, site=name)

    def _pause(self) -> None:
        until = self.collector.clock() + RETRY_SECONDS
        while self.collector.clock() < until:
            self._heard(Waiting())
            time.sleep(0.2)

    def _too_few(self, why: str) -> CoordinatorError:
        return CoordinatorError(
            Code.BELOW_QUORUM,
            f"secure aggregation, round {self.number}: {why}; nothing of the round was opened",
            where=f"model {self.collector.label}",
            fix="mend what those sites say, then run again",
        )

    def _not_opened(self, why: str) -> CoordinatorError:
        return CoordinatorError(
            Code.NOT_A_SUM,
            f"secure aggregation, round {self.number}: what was opened is no sum of its sites ({why})",
            where=f"model {self.collector.label}",
            fix="a site of the round does not keep to the protocol; see the sites' logs, then launch again",
        )
