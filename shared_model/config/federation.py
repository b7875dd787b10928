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


def updates_needed(strategy: Strategy, malicious: int) -> int:
    """Updates that the strategy needs against f malicious sites: Krum and multi-Krum 2f + 3 (Blanchard et al. 2017),
    trimmed mean and median 2f + 1, the mean-type ones, which one site can move anywhere, 1.
    """
    if strategy in ("krum", "multi_krum"):
        return 2 * malicious + 3
    return 2 * malicious + 1 if strategy in ROBUST else 1


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
        """Usable updates without which a round is none, as long as nobody was caught."""
        return self.needed(0)

    def needed(self, caught: int) -> int:
        """Usable updates without which a round is none: the quorum, or what the strategy needs where that is more.

        caught: malicious sites that are out already, their updates refused or they themselves suspended: whoever
        sends NaN must not be able to stop the others.
        """
        return max(self.quorum, updates_needed(self.strategy, max(0, self.malicious - caught)))

    def tolerated(self, updates: int, caught: int) -> int:
        """Malicious sites that a round of so many usable updates is made safe against: as many as it can be."""
        fewest = max(0, self.malicious - caught)
        return max(
            (f for f in range(fewest, self.malicious + 1) if updates >= updates_needed(self.strategy, f)),
            default=fewest,
        )

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
