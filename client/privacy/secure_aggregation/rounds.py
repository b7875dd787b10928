"""One site in one secure round after the other: its keys, its shares, its masked answer, and what it opens at the end.

The secrets of a round are in memory only and go with the next round or the process: a site that was restarted in the
middle is lost for that round like any other, and the others open the sum without it. Each step is answered once, in
order: asked the same again the answer is the same, asked anything else it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from client.privacy.secure_aggregation.believed import Believed
from client.privacy.secure_aggregation.masking import masked_report, masked_update
from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.refused import RoundRefused
from client.privacy.secure_aggregation.under_way import UnderWay
from shared_model.config import Config
from shared_model.config.secure_aggregation import FEWEST_SITES
from shared_model.exchange import CodecError, Coding, Payload, fingerprint
from shared_model.exchange.coding import EXCHANGE, FULL_SET
from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.exchange.parameters import Arrays
from shared_model.records import TASKS
from shared_model.run_plan import PLAN
from shared_model.secure_aggregation.keys import KeyProblem
from shared_model.secure_aggregation.report import nothing_validated
from shared_model.secure_aggregation.session import (
    ADVERT,
    FIELD,
    FIGURES,
    KEYS,
    MASKED,
    REPORT,
    SETTLED,
    SHARES,
    SURVIVORS,
    TOLD,
    UNMASK,
    VALIDATED,
    VALIDATING,
    Advert,
    Cohort,
    Round,
    SessionProblem,
    asked_digest,
    contents_of,
    names_of,
    stage_digest,
)
from shared_model.secure_aggregation.stream import to_wire

Fields = dict[str, Any]


class SecureRounds:
    """A site in the secure rounds of one run. scope: names federation and run. believed: whose keys count."""

    def __init__(
        self, site: str, config: Config, scope: str, believed: Believed, opened: OpenedRounds
    ) -> None:
        self._site = site
        self._config = config
        self._scope = scope
        self._believed = believed
        self._opened = opened
        self._one: UnderWay | None = None
        self._untold: set[str] = set()  # tasks of which there turned out to be no validation figures

    def answer(self, request: Payload, weight: int, tells: Sequence[str], trains: Sequence[str]) -> Payload:
        """The answer to one step of the protocol. weight: of this site's update, as it registered. tells: tasks whose
        validation figures the site has and may tell, in the order of TASKS. trains: parts of the model it can train.

        Raises RoundRefused, of which only `what` may leave.
        """
        steps: dict[str, Callable[[Fields, UnderWay], Fields]] = {
            SHARES: self._shares,
            SURVIVORS: self._survivors,
            UNMASK: self._unmask,
        }
        fields, step = request.fields, str(request.fields.get("step"))
        try:
            if step == KEYS:
                return self._keys(fields, weight, tells, trains)
            if step not in steps:
                raise SessionProblem("asks for a step that there is not")
            one, asked = self._under_way(fields), hashlib.sha256(request.fields_json().encode()).digest()
            if step not in one.answers:
                one.answers[step] = (asked, Payload(fields={"site": self._site, **steps[step](fields, one)}))
            before, answer = one.answers[step]
            if before != asked:
                raise SessionProblem(f"asks for {step} again, and otherwise")
            return answer
        except (SessionProblem, KeyProblem) as error:
            raise _refused(error) from None

    def masked(
        self,
        question: str,
        request: Payload,
        learn: Callable[[], Payload],
        base_of: Callable[[], Arrays | None],
    ) -> Payload:
        """What leaves in answer to `train` or `evaluate`: masked tensors and report, and nothing else of them.

        learn: the answer that would leave without any of this. base_of: the tensors that the request brings. Raises
        RoundRefused before anything is learnt where the request is of no round that this site is in.
        """
        try:
            one, sealed = self._asked(question, request)
            if one.masked is not None:
                return self._again(one, request, sealed, base_of())
            one.take(sealed)
        except (SessionProblem, KeyProblem, CodecError) as error:
            raise _refused(error) from None
        answer = learn()
        if FULL_SET in answer.fields:
            return answer
        base = base_of()
        assert base is not None  # learn() has made sure of it
        one.stage = _stage(one, request, base)
        fields = {"site": self._site, **one.about.to_field()}
        fields |= {name: answer.fields[name] for name in (EXCHANGE, *TOLD) if name in answer.fields}
        one.masked = Payload(self._arrays(one, request, answer, base), fields)
        return one.masked

    def _arrays(self, one: UnderWay, request: Payload, answer: Payload, base: Arrays) -> dict[str, Any]:
        assert one.cohort is not None
        given = answer.fields
        if one.validates:
            self._require_as_said(one, given["validation"])
        else:
            given = given | {"validation": nothing_validated()}
        masks, figures = one.masks(), one.figures_masks()
        if one.about.question == "evaluate":
            return {REPORT: to_wire(masked_report(given, one.advert.weight, masks, figures))}
        given = given | {"learning_rate": request.fields["learning_rate"]}
        vector, report = masked_update(
            self._config, base, answer.arrays, given, one.cohort, self._site, masks, figures
        )
        return {MASKED: to_wire(vector), REPORT: to_wire(report)}

    def _require_as_said(self, one: UnderWay, validation: Fields) -> None:
        """Raise RoundRefused where the figures are of other tasks than this site's keys say; from the next keys on they
        say what is so. (Records may turn out to hold nothing that the model reads; a patient may have been excluded.)
        """
        told = {task for task in TASKS if np.any(validation["confusion"][task])}
        if told != set(one.advert.tells):
            self._untold = set(TASKS) - told
            raise RoundRefused("its validation figures are of other tasks than it said when the round began")

    def _again(
        self, one: UnderWay, request: Payload, sealed: dict[str, bytes], base: Arrays | None
    ) -> Payload:
        """What was answered, if the request is the very same: two answers under one mask could be subtracted."""
        same = base is not None and sorted({*sealed, self._site}) == one.senders
        if base is None or not same or _stage(one, request, base) != one.stage or one.masked is None:
            raise SessionProblem("asks for a masked answer again, and otherwise")
        return one.masked

    def _keys(self, fields: Fields, weight: int, tells: Sequence[str], trains: Sequence[str]) -> Payload:
        about = Round.of(fields)
        self._opened.require_closed(about)
        if self._one is None or self._one.about != about:
            scope = f"{self._scope} {fields.get(PLAN, '')}"
            found = [task for task in tells if task not in self._untold]
            self._one = UnderWay.begun(scope, about, self._site, weight, found, trains)
        told = {ADVERT: self._one.advert.to_field(), VALIDATED: self._opened.validated()}
        return Payload(fields={"site": self._site, **told})

    def _shares(self, fields: Fields, one: UnderWay) -> Fields:
        given = fields.get("cohort")
        if not isinstance(given, list):
            raise SessionProblem("holds no sites")
        adverts = [Advert.of(entry) for entry in given]
        left = self._config.secure_aggregation.left
        validating = names_of(fields.get(VALIDATING, []))
        cohort = Cohort.of(adverts, left(len(adverts)), validating, fields.get(SETTLED) is True)
        self._require_cohort(cohort, one)
        self._require_validating(cohort)
        sealed, digest, figures = one.sealed_shares(cohort, left(len(validating)))
        return {"shares": sealed, "digest": digest} | ({FIGURES: figures} if one.validates else {})

    def _require_validating(self, cohort: Cohort) -> None:
        """Raise RoundRefused or SessionProblem where so few sites, others than before, or some without any are to be
        asked for validation figures.
        """
        asked = cohort.validating
        cohort.require_told()
        if asked and len(asked) < self._config.secure_aggregation.fewest(len(asked)):
            raise RoundRefused(f"validation figures of {len(asked)} sites alone are asked for")
        self._opened.require_validating(self._site, asked)

    def _require_cohort(self, cohort: Cohort, one: UnderWay) -> None:
        least = max(FEWEST_SITES, cohort.threshold)
        if len(cohort.names) < least:
            raise RoundRefused(f"the round is of {len(cohort.names)} sites, at least {least} are needed")
        if cohort.weight > LARGEST_WEIGHT:
            raise RoundRefused(
                f"the sites' weights sum to {cohort.weight}, at most {LARGEST_WEIGHT} can be added"
            )
        mine = cohort.adverts.get(self._site)
        if mine is None or mine.statement() != one.advert.statement():
            raise RoundRefused("the keys that are handed on in its name are not its own")
        for name, advert in cohort.adverts.items():
            if advert.round != one.about or advert.scope != one.advert.scope:
                raise RoundRefused(f"the keys of {name:.64} are of another round, run or plan")
            self._believed.require(advert)

    def _asked(self, question: str, request: Payload) -> tuple[UnderWay, dict[str, bytes]]:
        """The round that a request for a masked answer is of, and the other sites' shares that it brings."""
        field = request.fields.get(FIELD)
        one = self._under_way(field)
        sealed = contents_of(field.get("shares")) if isinstance(field, dict) else {}
        if one.cohort is None:
            raise SessionProblem("asks for a masked answer out of turn")
        if (question, request.fields.get("round")) != (one.about.question, one.about.number):
            raise SessionProblem("is of another round than its session")
        if self._site in sealed or not set(sealed) <= set(one.cohort.names):
            raise SessionProblem("brings shares of sites that are not in the round")
        self._require_left(len(sealed) + 1, one)
        return one, sealed

    def _survivors(self, fields: Fields, one: UnderWay) -> Fields:
        survivors = names_of(fields.get("survivors"))
        if one.masked is None:
            raise SessionProblem("asks for survivors before there can be any")
        if self._site not in survivors or not set(survivors) <= set(one.senders):
            raise SessionProblem("names survivors that are not those of the round")
        self._require_left(len(survivors), one)
        assert one.cohort is not None
        if lost := one.cohort.trained_by_several() - one.cohort.trained_by_several(survivors):
            raise RoundRefused(f"fewer than two sites are left that train the part {min(lost)} of the model")
        one.survivors = survivors
        return {"signature": one.signature()}

    def _unmask(self, fields: Fields, one: UnderWay) -> Fields:
        if not one.survivors:
            raise SessionProblem("asks for what is opened before there are survivors")
        signatures = contents_of(fields.get("signatures"))
        one.require_agreed(signatures)
        self._require_left(len(signatures), one, "have agreed on who is left")
        validated = self._validated(one)
        self._opened.remember(one.about, validated)
        return one.given(validated)

    def _validated(self, one: UnderWay) -> list[str]:
        """Whose validation figures this site helps to open: of the sites it did before, or else of all that are left.

        A list is opened by more than half of its sites, and each site stands for one list in a run, so that no sums
        that were opened can be added and subtracted to the figures of one site (docs/secure-aggregation.md).
        """
        assert one.cohort is not None
        if not one.validates:
            return []
        asked = one.cohort.validating
        least = len(asked) if one.cohort.settled else self._config.secure_aggregation.fewest(len(asked))
        return self._opened.openable(asked, one.survivors, least)

    def _require_left(self, count: int, one: UnderWay, what: str = "are left") -> None:
        assert one.cohort is not None
        if count < one.cohort.threshold:
            total, needed = len(one.cohort.names), one.cohort.threshold
            raise RoundRefused(f"{count} sites of {total} {what}, {needed} are needed")

    def _under_way(self, given: Any) -> UnderWay:
        session = given.get("session") if isinstance(given, dict) else None
        if self._one is None or self._one.about.session != session:
            raise SessionProblem("is of no round that this site is in")
        return self._one


def _stage(one: UnderWay, request: Payload, base: Arrays) -> bytes:
    coding = Coding.of(request.fields)
    sent = coding.base if coding else fingerprint(base)
    return stage_digest(one.digest, one.senders, asked_digest(request.fields, sent))


def _refused(error: ValueError) -> RoundRefused:
    return RoundRefused(f"the coordinator's message {error}")
