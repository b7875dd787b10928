"""What the site's own grades say of the promises, which were made on the photographs of other cameras and people.

A model that keeps its word in one place can clear most of those who need referral in another, and be sure of it. So its
decisions are held against the site's own grades, each input by itself, and without the patients that a run here learns
from: a promise that is surely not kept takes every decision back, and nobody is cleared on trust.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from scipy.stats import beta

from client.use.decision import ASK, CLEAR, KINDS, REFER, Reason
from client.use.grading import Graded
from shared_model.metrics.referable import REFERABLE
from shared_model.operating_points import ACCURACY, FEWEST, SENSITIVITY, SPECIFICITY

FLOOR = 0.80  # of the referable patients that it decided on, found even if luck helped: 20 of 20, or 25 of 26
_LIMIT = (
    0.025  # how unlikely what was seen has to be, were the promise kept; and what is cut off on either side
)


@dataclass(frozen=True)
class Promise:
    """A share as it was kept here. kept, n: of the photographs, or patients, that it is about. level: what was
    promised, or for `Kept.found` what has to be sure.
    """

    what: str
    kept: int
    n: int
    level: float
    demand: str = "promised"

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson, 1934); all of 0 to 1 where there is nothing."""
        return interval(self.kept, self.n)

    @property
    def broken(self) -> bool:
        """Whether so few would hardly ever be kept at the promised share or a higher one."""
        return self.n >= FEWEST and self.interval[1] < self.level

    def sentence(self) -> str:
        """For a person."""
        share = f"{self.kept / self.n:.1%}" if self.n else "none"
        between = "95 % interval {:.0%} to {:.0%}".format(*self.interval)
        return f"{self.what}: {share} of {self.n} ({between}; {self.demand} {self.level:.0%})"


@dataclass(frozen=True)
class Kept:
    """What the own grades say of the decisions from one input ("all" or "image"). promises: the three, on photographs.
    found: of the referable patients that the model decided on, those of whom it cleared no referable photograph.
    """

    given: str
    promises: tuple[Promise, ...]
    found: Promise

    @property
    def graded(self) -> int:
        """Photographs that both the site and the model have graded."""
        return self.promises[0].n + self.promises[1].n

    @property
    def broken(self) -> bool:
        """Whether a promise is surely not kept."""
        return any(promise.broken for promise in self.promises)

    @property
    def proven(self) -> bool:
        """Whether enough referable patients were decided on, and so many found that it is no luck. To ask a person
        about everybody proves nothing.
        """
        return self.found.n >= FEWEST and self.found.interval[0] >= FLOOR and not self.broken


@dataclass(frozen=True)
class OwnGrades:
    """inputs: every one that a photograph was graded from, with or without grades of the site. left_out: graded
    photographs of patients that a run here learns from; None where nobody can tell who those are.
    """

    inputs: tuple[Kept, ...] = ()
    left_out: int | None = None

    @property
    def broken(self) -> bool:
        """Whether a promise is surely not kept from any input."""
        return any(kept.broken for kept in self.inputs)


def interval(kept: int, n: int) -> tuple[float, float]:
    """Lower and upper end of the exact 95 % interval of a share; 0 and 1 of nothing."""
    low = float(beta.ppf(_LIMIT, kept, n - kept + 1)) if kept else 0.0
    high = float(beta.ppf(1 - _LIMIT, kept + 1, n - kept)) if kept < n else 1.0
    return low, high


def promises_kept(cases: Sequence[Graded], task: str, learnt: Collection[str] | None = None) -> OwnGrades:
    """How the decisions agree with the site's own grades, input by input.

    learnt: patients, as the site names them, whom a run here trains or validates on; None where that is unknown.
    """
    graded = [case for case in cases if case.probabilities is not None]
    own = [case for case in graded if case.own is not None]
    unseen = [case for case in own if not learnt or case.patient not in learnt]
    used = sorted({case.given for case in graded})
    return OwnGrades(
        tuple(_kept(given, [case for case in unseen if case.given == given], task) for given in used),
        None if learnt is None else len(own) - len(unseen),
    )


def taken_back(cases: Sequence[Graded], own: OwnGrades, *, clear_unproven: bool = False) -> list[Graded]:
    """The cases as they are, or every one for a person whose input breaks a promise here.

    Where nothing shows that the referable ones are found from an input, those that would be cleared from it are for a
    person too, unless clear_unproven: to refer one too many is a visit, to clear one too many may be an eye. Where the
    model is disproved from another input, clear_unproven does not help.
    """
    inputs = {kept.given: kept for kept in own.inputs}
    trusted = clear_unproven and not own.broken
    return [case if case.lost else _judged(case, inputs.get(case.given), trusted) for case in cases]


def _judged(case: Graded, kept: Kept | None, trusted: bool) -> Graded:
    if kept is not None and kept.broken:
        return _asked(case, "disproved")
    if case.decision != CLEAR or trusted or (kept is not None and kept.proven):
        return case
    return _asked(case, "unproven")


def _asked(case: Graded, kind: str) -> Graded:
    return replace(case, decision=ASK, reasons=(*case.reasons, Reason(kind, KINDS[kind])))


def _kept(given: str, cases: Sequence[Graded], task: str) -> Kept:
    known = [(case, case.own) for case in cases if case.own is not None]
    sick = [case for case, own in known if own >= REFERABLE]
    well = [case for case, own in known if own < REFERABLE]
    stood = [case.grade(task) == own for case, own in known if case.decision != ASK]
    return Kept(
        given,
        (
            Promise("referable ones not cleared", _without(CLEAR, sick), len(sick), SENSITIVITY),
            Promise("others not referred", _without(REFER, well), len(well), SPECIFICITY),
            Promise("grades that were decided on and are right", sum(stood), len(stood), ACCURACY),
        ),
        _found(sick),
    )


def _without(decision: str, cases: Sequence[Graded]) -> int:
    return sum(case.decision != decision for case in cases)


def _found(sick: Sequence[Graded]) -> Promise:
    """Patients, since the photographs of one stand and fall together; one whom nobody names counts by record."""
    decided: dict[tuple[bool, str], list[Graded]] = defaultdict(list)
    for case in sick:
        if case.decision != ASK:
            decided[(bool(case.patient), case.patient or case.record)].append(case)
    found = sum(all(case.decision != CLEAR for case in held) for held in decided.values())
    what = "referable patients that it decided on and did not clear"
    return Promise(what, found, len(decided), FLOOR, "to clear anybody, the lower end has to reach")
