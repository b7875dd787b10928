"""What the site's own grades say of the promises, which were made on the photographs of other cameras and people.

A model that keeps its word in one place can clear most of those who need referral in another, and be sure of it. Where
the site has graded photographs itself, its decisions are held against these first; a promise that is surely not kept
here, however small the sample, takes every decision back. And nobody is cleared on trust: without enough referable
photographs of the site's own among them, only a person who asks for it lets the model clear anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.stats import beta

from client.use.decision import ASK, CLEAR, KINDS, REFER, Reason
from client.use.grading import Graded
from shared_model.metrics.referable import REFERABLE
from shared_model.operating_points import ACCURACY, FEWEST, SENSITIVITY, SPECIFICITY

_LIMIT = 0.025  # how unlikely what was seen has to be, were the promise kept


@dataclass(frozen=True)
class Promise:
    """One of the three, as it was kept here. kept, n: of the photographs that it is about. level: what was promised."""

    what: str
    kept: int
    n: int
    level: float

    @property
    def broken(self) -> bool:
        """Whether so few would hardly ever be kept at the promised share or a higher one."""
        if self.n < FEWEST or self.kept == self.n:
            return False
        highest = float(beta.ppf(1 - _LIMIT, self.kept + 1, self.n - self.kept))
        return highest < self.level

    def sentence(self) -> str:
        """For a person."""
        share = f"{self.kept / self.n:.1%}" if self.n else "none"
        return f"{self.what}: {share} of {self.n} (promised {self.level:.0%})"


def promises_kept(cases: Sequence[Graded], task: str) -> list[Promise]:
    """How the decisions agree with the site's own grades; empty where it has none."""
    known = [(case, case.own) for case in cases if case.own is not None and case.probabilities is not None]
    if not known:
        return []
    sick = [case.decision for case, own in known if own >= REFERABLE]
    well = [case.decision for case, own in known if own < REFERABLE]
    stood = [case.grade(task) == own for case, own in known if case.decision != ASK]
    return [
        Promise("referable ones not cleared", sum(d != CLEAR for d in sick), len(sick), SENSITIVITY),
        Promise("others not referred", sum(d != REFER for d in well), len(well), SPECIFICITY),
        Promise("grades that were decided on and are right", sum(stood), len(stood), ACCURACY),
    ]


def proven(promises: Sequence[Promise]) -> bool:
    """Whether enough of the site's own referable photographs are there to see whether they are found."""
    return bool(promises) and promises[0].n >= FEWEST


def taken_back(
    cases: Sequence[Graded], promises: Sequence[Promise], *, clear_unproven: bool = False
) -> list[Graded]:
    """The cases as they are, or every one for a person where a promise is broken here.

    Where nothing shows that the referable ones are found here, those that would be cleared are for a person too,
    unless clear_unproven: to refer one too many is a visit, to clear one too many may be an eye.
    """
    if any(promise.broken for promise in promises):
        return [case if case.lost else _asked(case, "disproved") for case in cases]
    if clear_unproven or proven(promises):
        return list(cases)
    return [_asked(case, "unproven") if case.decision == CLEAR else case for case in cases]


def _asked(case: Graded, kind: str) -> Graded:
    return replace(case, decision=ASK, reasons=(*case.reasons, Reason(kind, KINDS[kind])))
