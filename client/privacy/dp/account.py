"""How many steps of a round may be taken, charged before the first of them is drawn.

A site's account is its ledger, which outlives runs and processes. Three budgets hold at once: the operator's for the
life of the data, the operator's for one run, and what the run itself promised. The coordinator sets only the last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from client.privacy.composition import NOISE, RATE, ROUND, STEPS, TRAINING, Composition, training_of
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
class Limits:
    """The operator's. epsilon: over the life of the data; run: of one run; None for no limit. delta: of both."""

    epsilon: float | None = None
    run: float | None = None
    delta: float = 1e-5


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

        def choose(entries: Sequence[Entry]) -> Charge:
            taken = self._affordable(entries, plan, steps)
            alone = plan.spent(taken)
            detail = {
                ROUND: number,
                STEPS: taken,
                "asked": steps,
                NOISE: alone.noise_multiplier,
                RATE: alone.rate,
                "mode": plan.mode,
            }
            delta = self._limits.delta
            return Charge(self._run, TRAINING, composed((alone,), delta), delta, detail)

        taken = int(self._ledger.charge_as(choose).detail[STEPS])
        if taken < steps:
            log.warning(
                "round %d takes %d of %d steps: more would pass a privacy limit", number, taken, steps
            )
        return taken

    def _affordable(self, entries: Sequence[Entry], plan: Plan, steps: int) -> int:
        """At least one. Raises BudgetExhausted."""
        limits = self._limits
        own = [entry for entry in entries if entry.run == self._run]
        trained = [entry for entry in own if entry.what == TRAINING]
        for scope, whose, epsilon, delta in (
            (entries, "this site's privacy limit", limits.epsilon, limits.delta),
            (own, "this site's privacy limit for one run", limits.run, limits.delta),
            (trained, "the privacy budget of this run", plan.epsilon, plan.delta),
        ):
            if epsilon is None:
                continue
            others = Composition(delta).others(scope)
            step, room = plan.spent(steps), delta - others.delta
            before = training_of(scope)
            steps = affordable(before, step, room, epsilon - others.epsilon) if room > 0 else 0
            if steps < 1:
                raise _exhausted(whose, epsilon, before)
        return steps


def _exhausted(whose: str, epsilon: float, before: Sequence[Steps]) -> BudgetExhausted:
    taken = sum(steps.count for steps in before)
    return BudgetExhausted(
        f"{whose} would be passed",
        where=f"the limit is an epsilon of {epsilon:g}; {taken} steps are charged to it",
        fix="`fedfundus-site budget` shows the account; [policy] in site.toml holds the site's own limits",
    )
