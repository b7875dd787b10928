"""The keys of `[privacy]`: differential privacy at the level of the patient, off unless it is asked for.

What the keys promise, and what they do not, stands in docs/privacy.md. Everything here is known to the coordinator;
how many patients a site has enters as the constant that the site registers, and never as a draw.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from shared_model.config.section import Count, Positive, Section

Mode = Literal["prototypes", "groups"]
LEAST_EPSILON = (
    1e-3  # the accountant's own error: it can promise nothing smaller, however much noise there is
)
MOST_EPSILON = 100.0  # above it nothing is promised that anyone could mean
Epsilon = Annotated[float, Field(ge=LEAST_EPSILON, le=MOST_EPSILON)]
Delta = Annotated[float, Field(gt=0.0, lt=1.0)]


class PrivacyConfig(Section):
    """How a site's patients are protected in training (Abadi et al. 2016), each site for itself.

    mode: `prototypes` clips one contribution a patient, whose negatives are public examples; `groups` clips one
    contribution a group of patients, who are each other's negatives, at twice the noise.
    """

    enabled: bool = False
    mode: Mode = "prototypes"
    epsilon: Epsilon = 8.0  # of the whole run
    delta: Delta = 1e-5
    clip: Positive = 1.0  # L2 norm of one contribution, at most
    patients: Count = 256  # of a step, on average; a site with fewer takes all of them in every step
    records: Count = 4  # photographs of one patient in one step, at most
    groups: Count = 16  # of a step, read with mode groups only; a constant, however many patients are drawn
    bank: Annotated[int, Field(ge=2, le=8192)] = 64  # public examples that stand in for other patients
    seeded: bool = False  # simulation only: draws and noise from the run's seed, which protects nobody
    sites: tuple[
        str, ...
    ] = ()  # that train privately, the others as without any of this; none named: all of them

    @field_validator("sites", mode="before")
    @classmethod
    def _names_with_commas_between(cls, sites: Any) -> Any:
        return (
            [name.strip() for name in sites.split(",") if name.strip()] if isinstance(sites, str) else sites
        )

    def covers(self, site: str) -> bool:
        """Whether `site` trains under differential privacy."""
        return self.enabled and (not self.sites or site in self.sites)
