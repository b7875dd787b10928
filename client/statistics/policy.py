"""What a site lets out about its training patients: which questions it answers, and how small a count may be.

The operator decides it in site.toml; the coordinator can neither see more than it allows nor change it. In
simulation there are no patients, so that the minimum is the run's own (data.minimum_cell), 0 by default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shared_model.errors import ConfigError, DataError

# group of questions -> what is answered
GROUPS = {
    "records": "how many photographs and patients there are to train on",
    "structured": "age, sex, eye, diabetes duration, insulin and diabetes: how often each value occurs",
    "grades": "photographs of each ICDR and SDRG grade",
    "findings": "photographs with each of the 13 findings",
    "image_channels": "mean and spread of the three colour channels",
}


@dataclass(frozen=True)
class Policy:
    """A site's rules for statistics.

    minimum_cell: patients that a published count rests on, at least; below 2 nothing is merged or withheld.
    answer: the groups of questions that are answered. epsilon: privacy budget of one answer; above 0 the counts
    carry noise (one record a patient) in place of merging. Raises ConfigError for values that do not fit.
    """

    minimum_cell: int = 10
    answer: frozenset[str] = frozenset(GROUPS)
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", frozenset(self.answer))
        unknown = sorted(self.answer - set(GROUPS))
        if unknown:
            raise ConfigError(
                f"there is no group of statistics called {unknown[0]!r}",
                where="policy.statistics",
                fix=f"use any of {', '.join(GROUPS)}",
            )
        if self.minimum_cell < 0:
            raise ConfigError(
                "the minimum count is negative", where="policy.minimum_cell", fix="use 0 or more"
            )
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise ConfigError(
                "the privacy budget of an answer is not a number of at least 0",
                where="policy.statistics_epsilon",
                fix="use 0 for no noise, or for example 1.0",
            )

    @property
    def merges(self) -> bool:
        """Whether counts of few patients are merged or withheld."""
        return self.minimum_cell > 1 and not self.epsilon


def require_enough_patients(patients: int, policy: Policy) -> None:
    """Raise DataError where a site has fewer training patients than a count may rest on: its number would do so."""
    if policy.minimum_cell > 1 and patients < policy.minimum_cell:
        raise DataError(
            f"this site has fewer training patients than its policy's minimum of {policy.minimum_cell}",
            where="policy.minimum_cell",
            fix="add patients, train on a larger share of them, or lower the minimum if you may",
        )


OPEN = Policy(minimum_cell=0)  # nothing merged or withheld: for simulations, which have no patients
