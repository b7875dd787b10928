"""How many steps of a round may be taken, charged before the first of them is drawn.

A site's account is its ledger, which outlives runs and processes. Three budgets hold at once: the operator's for the
life of the data, the operator's for one run, and what the run itself promised. The coordinator sets only the last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from client.privacy.composition import (
    ASKED,
    NOISE,
    PROMISED_DELTA,
    PROMISED_EPSILON,
    RATE,
    ROUND,
    STEPS,
    TRAINING,
    Composition,
    training_of,
)
from client.privacy.dp.accountant import Steps, affordable, composed
from client.privacy.dp.plan import Plan
from client.privacy.ledger import BudgetExhausted, Charge, Entry, Ledger
from shared_model.errors import RunError

log = logging.getLogger(__name__)


class Account(Protocol):
    """Where steps are charged."""

    def charge(self, plan: Plan, number: int, steps: int) -> int:
        """Charge up to `steps` steps of round `number`; how many may be taken, at least one.

        Raises FedFundusError where none may, and then nothing is charged.
        """
        ...


class PlanAccount:
    """A simulated site's, in memory: the steps of the plan and no more. It remembers nothing of other runs."""

    def __init__(self) -> None:
        self._taken = 0

    def charge(self, plan: Plan, number: int, steps: int) -> int:
        """As Account.charge. Raises RunError where the plan's steps are taken."""
        if max(number * steps, self._taken + steps) > plan.steps:
            raise RunError(
                f"the privacy budget of this run is for {plan.steps} steps, and they are taken",
                where="privacy.epsilon, federation.rounds, training.local_steps",
                fix="plan more steps before the run; their noise is larger",
            )
        self._taken += steps
        return steps


@dataclass(frozen=True)
class Bound:
    """One limit. whose: for messages; of: the charges it counts: all, those under the run's name, or only its training.

    Noisy statistics serve all runs of a federation and are charged under its name: "all" alone counts them.
    """

    whose: str
    of: Literal["all", "run", "training"]
    epsilon: float
    delta: float

    def counts(self, entries: Sequence[Entry], run: str) -> list[Entry]:
        """The charges that this limit is of."""
        own = [entry for entry in entries if self.of == "all" or entry.run == run]
        return [entry for entry in own if self.of != "training" or entry.what == TRAINING]


@dataclass(frozen=True)
class Limits:
    """The operator's. epsilon: of everything over the life of the data; run: of one run's training; None for no limit.
    delta: of both.
    """

    epsilon: float | None = None
    run: float | None = None
    delta: float = 1e-5

    def bounds(self, promised_epsilon: float, promised_delta: float) -> list[Bound]:
        """These limits and what a run promised of its own training, which the operator has no part in."""
        found = [Bound("the privacy budget of this run", "training", promised_epsilon, promised_delta)]
        if self.run is not None:
            found.insert(0, Bound("this site's privacy limit for one run", "run", self.run, self.delta))
        if self.epsilon is not None:
            found.insert(0, Bound("this site's privacy limit", "all", self.epsilon, self.delta))
        return found


def allowed(
    entries: Sequence[Entry], run: str, step: Steps, bounds: Sequence[Bound]
) -> tuple[int, Bound | None]:
    """How many of `step.count` steps may be charged to `run` after `entries`, and the bound that allows none."""
    steps = step.count
    for bound in bounds:
        counted = bound.counts(entries, run)
        others = Composition(bound.delta).others(counted)
        delta, epsilon = bound.delta - others.delta, bound.epsilon - others.epsilon
        steps = (
            affordable(training_of(counted), replace(step, count=steps), delta, epsilon) if delta > 0 else 0
        )
        if steps < 1:
            return 0, bound
    return steps, None


class LedgerAccount:
    """A site's account of one run, in its ledger."""

    def __init__(self, ledger: Ledger, run: str, limits: Limits) -> None:
        self._ledger = ledger
        self._run = run
        self._limits = limits

    def charge(self, plan: Plan, number: int, steps: int) -> int:
        """As Account.charge. Raises BudgetExhausted where a limit leaves no step, LedgerError for a ledger that is
        lost or not as it was written.
        """
        bounds, delta = self._limits.bounds(plan.epsilon, plan.delta), self._limits.delta

        def choose(entries: Sequence[Entry]) -> Charge:
            taken, refusing = allowed(entries, self._run, plan.spent(steps), bounds)
            if refusing is not None:
                raise _exhausted(refusing, refusing.counts(entries, self._run))
            alone = plan.spent(taken)
            detail = {
                ROUND: number,
                STEPS: taken,
                ASKED: steps,
                NOISE: alone.noise_multiplier,
                RATE: alone.rate,
                "mode": plan.mode,
                PROMISED_EPSILON: plan.epsilon,
                PROMISED_DELTA: plan.delta,
            }
            return Charge(self._run, TRAINING, composed((alone,), delta), delta, detail)

        entry = self._ledger.charge_as(choose)
        taken = int(entry.detail[STEPS])
        if taken < steps:
            log.warning(
                "round %d takes %d of %d steps: more would pass a privacy limit", number, taken, steps
            )
        return taken


def _exhausted(bound: Bound, counted: Sequence[Entry]) -> BudgetExhausted:
    taken = sum(steps.count for steps in training_of(counted))
    return BudgetExhausted(
        f"{bound.whose} would be passed",
        where=f"the limit is an epsilon of {bound.epsilon:g}; {taken} steps are charged to it",
        fix="`fedfundus-site budget` shows the account; [policy] in site.toml holds the site's own limits",
    )
