"""What all charges of a site come to: training by the accountant, everything else added to it.

The same patients are trained on in run after run, so their steps compose, whichever run they belong to. Statistics
and answers are other mechanisms, of which only a budget is known; by basic composition theirs add up. The accountant
is loaded where there is training to account for, and only then: it takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from client.privacy.ledger import Entry, Spent

if TYPE_CHECKING:
    from client.privacy.dp.accountant import Steps

TRAINING = "training"
# Keys of a training entry's detail: of the mechanism, of the round, and of what its run promised in all.
NOISE, RATE, STEPS = "noise_multiplier", "rate", "steps"
ROUND, ASKED = "round", "asked"
PROMISED_EPSILON, PROMISED_DELTA = "run_epsilon", "run_delta"


@dataclass(frozen=True)
class Composition:
    """Adds entries up for a Ledger. delta: of everything together; what other charges leave of it is training's."""

    delta: float

    def __call__(self, entries: Sequence[Entry]) -> Spent:
        """The budget of all entries. Its epsilon is infinite where other charges have used up the delta."""
        return self._spent(self.others(entries), training_of(entries))

    def following(self, entries: Sequence[Entry], step: Steps) -> Spent:
        """The budget of all entries with more steps of training after them."""
        from client.privacy.dp.accountant import merged

        return self._spent(self.others(entries), merged([*training_of(entries), step]))

    def _spent(self, others: Spent, schedule: tuple[Steps, ...]) -> Spent:
        if not schedule:
            return others
        from client.privacy.dp.accountant import composed

        left = self.delta - others.delta
        training = composed(schedule, left) if left > 0 else math.inf
        return Spent(others.epsilon + training, self.delta)

    def others(self, entries: Sequence[Entry]) -> Spent:
        """The budget of everything that is not training."""
        apart = [entry for entry in entries if entry.what != TRAINING]
        return Spent(math.fsum(e.epsilon for e in apart), math.fsum(e.delta for e in apart))


def training_of(entries: Sequence[Entry]) -> tuple[Steps, ...]:
    """All steps of training that were charged, those alike counted together."""
    charged = [entry.detail for entry in entries if entry.what == TRAINING]
    if not charged:
        return ()
    from client.privacy.dp.accountant import Steps, merged

    return merged(Steps(float(d[NOISE]), float(d[RATE]), int(d[STEPS])) for d in charged)
