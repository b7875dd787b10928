"""What a site fixes before its first private step: the constants that everything it reports is made of.

They follow from the configuration and from the number of patients that the site registered, once. A patient who
comes or goes afterwards changes none of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from client.privacy.dp.accountant import Steps, noise_for
from shared_model.config import Config
from shared_model.config.privacy import Mode
from shared_model.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Constants of one site in one run.

    patients: registered. rate: probability of each patient in each step. noise_multiplier: standard deviation of
    the noise in multiples of `sensitivity`. steps: of the whole run, which together cost (epsilon, delta).
    """

    mode: Mode
    patients: int
    rate: float
    clip: float
    noise_multiplier: float
    groups: int
    records: int
    steps: int
    epsilon: float
    delta: float

    @property
    def sensitivity(self) -> float:
        """How far one patient can move the clipped sum: by one contribution, or by changing one group's."""
        return self.clip if self.mode == "prototypes" else 2 * self.clip

    @property
    def normaliser(self) -> float:
        """What the noised sum is divided by: patients expected in a step, or groups."""
        return self.rate * self.patients if self.mode == "prototypes" else float(self.groups)

    def spent(self, steps: int) -> Steps:
        """What the accountant is told of this many steps."""
        return Steps(self.noise_multiplier, self.rate, steps)


def make_plan(config: Config, patients: int) -> Plan:
    """The plan of a site with this many registered training patients.

    Raises DataError for a site without patients. Warns where delta is above one in `patients`: such a delta allows
    that one patient is published whole.
    """
    privacy = config.privacy
    if patients < 1:
        raise DataError(
            "there are no patients to train on, and so none whose privacy could be accounted for",
            where="training patients of this site",
            fix="add records, or leave this site out of the run",
        )
    if privacy.delta * patients > 1:
        log.warning(
            "privacy.delta %g is above 1 / %d patients: it would allow publishing one of them; use less than %.1g",
            privacy.delta,
            patients,
            1 / patients,
        )
    rate, steps = _schedule(config, patients)
    return Plan(
        mode=privacy.mode,
        patients=patients,
        rate=rate,
        clip=privacy.clip,
        noise_multiplier=noise_for(privacy.epsilon, privacy.delta, rate, max(1, steps)),
        groups=privacy.groups,
        records=privacy.records,
        steps=steps,
        epsilon=privacy.epsilon,
        delta=privacy.delta,
    )


def require_noise(config: Config, patients: int) -> None:
    """Raises ConfigError where no noise is enough for privacy.epsilon at a site of this many training patients."""
    rate, steps = _schedule(config, patients)
    noise_for(config.privacy.epsilon, config.privacy.delta, rate, max(1, steps))


def _schedule(config: Config, patients: int) -> tuple[float, int]:
    """Probability of each patient in a step, and the steps of the whole run."""
    steps = config.training.local_steps * config.federation.rounds
    return min(1.0, config.privacy.patients / patients), steps
