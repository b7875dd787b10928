"""The keys of `[federation]`: who trains together, for how long, and how updates become a model.

They stand apart from the model's and the training's, which a run without any federation reads too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from shared_model.config.section import Count, Natural, NonNegative, Positive, Section

# A modality, or one of shared_model.records.STRUCTURED, that a simulated site does not hold.
Withheld = Literal["text", "structured", "age", "sex", "eye", "diabetes_duration", "insulin", "diabetes"]


class ServerOptimizerConfig(Section):
    """Server-side optimiser of fedavgm, fedadam and fedyogi (Flower's own implementations)."""

    learning_rate: Positive = 1.0
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    adaptive_learning_rate: Positive = 0.01
    beta_1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    beta_2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    tau: Positive = 1e-3


Strategy = Literal[
    "fedavg",
    "fedprox",
    "fedavgm",
    "fedadam",
    "fedyogi",
    "trimmed_mean",
    "median",
    "krum",
    "multi_krum",
]
ROBUST = ("trimmed_mean", "median", "krum", "multi_krum")  # need every update of a round at once


class FederationConfig(Section):
    """Who trains together, for how long, and how updates become a model."""

    partition: Literal["center", "camera", "dirichlet", "iid"] = "center"
    sites: Natural = 0  # 0: as many as the partition has (center, camera) or 3
    alpha: Positive = 0.5  # Dirichlet concentration; smaller is more skewed
    rounds: Natural = 20  # 0: the model as it starts, untrained (zero-shot)
    strategy: Strategy = "fedavg"
    malicious: Natural = 1  # sites that may send anything; read by the robust strategies only
    quorum: Count = 1  # fewer usable updates than this and the round is not a round
    # Seconds. 0: none in simulation, where every site answers; what a deployed run takes stands in docs/coordinator.md.
    grace: NonNegative = 0.0  # that the others still have once the quorum is reached
    silence: NonNegative = 0.0  # without an answer or a byte, after which a round waits no longer
    norm_bound: Positive = 1e3  # L2 norm of an update above which it is quarantined
    norm_screen: NonNegative = 0.0  # the same in multiples of the median norm of the rounds before; 0 is off
    norm_clip: NonNegative = 0.0  # L2 norm to which an update is scaled down before it is averaged; 0 is off
    suspend_after: Natural = 3  # rounds with a refused update after which a site is asked no more; 0 is never
    server_optimizer: ServerOptimizerConfig = ServerOptimizerConfig()
    # Site -> modalities or structured values that it does not hold, in simulation only: unequal hospitals.
    withhold: dict[str, tuple[Withheld, ...]] = Field(default_factory=dict)

    @property
    def minimum(self) -> int:
        """Usable updates without which a round is none: the quorum, or what the strategy needs where that is more.

        f = malicious: Krum and multi-Krum need 2f + 3 (Blanchard et al. 2017), trimmed mean and median 2f + 1.
        """
        if self.strategy in ("krum", "multi_krum"):
            return max(self.quorum, 2 * self.malicious + 3)
        return max(self.quorum, 2 * self.malicious + 1 if self.strategy in ROBUST else 1)

    @field_validator("withhold", mode="before")
    @classmethod
    def _every_site_has_photographs(cls, withhold: Any) -> Any:
        for site, names in withhold.items() if isinstance(withhold, dict) else ():
            if names == "image" or (isinstance(names, list | tuple) and "image" in names):
                raise ValueError(
                    f"site {site} cannot be without photographs, as every record is a photograph; withhold text, "
                    "structured or single structured values"
                )
        return withhold
