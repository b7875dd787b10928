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
NOISE, RATE, STEPS, ROUND = "noise_multiplier", "rate", "steps", "round"  # keys of a training entry's detail


@dataclass(frozen=True)
class Composition:
    """Adds entries up for a Ledger. delta: of everything together; what other charges leave of it is training's."""

    delta: float

    def __call__(self, entries: Sequence[Entry]) -> Spent:
        """The budget of all entries. Its epsilon is infinite where other charges have used up the delta."""
        others = self.others(entries)
        schedule = training_of(entries)
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
