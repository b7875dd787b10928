"""The keys of `[federation]`: who trains together, for how long, and how updates become a model.

They stand apart from the model's and the training's, which a run without any federation reads too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from shared_model.config.section import Count, Natural, Positive, Section

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


class FederationConfig(Section):
    """Who trains together, for how long, and how updates become a model."""

    partition: Literal["center", "camera", "dirichlet", "iid"] = "center"
    sites: Natural = 0  # 0: as many as the partition has (center, camera) or 3
    alpha: Positive = 0.5  # Dirichlet concentration; smaller is more skewed
    rounds: Natural = 20  # 0: the model as it starts, untrained (zero-shot)
    strategy: Literal["fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi"] = "fedavg"
    quorum: Count = 1  # fewer usable updates than this and the round is not a round
    norm_bound: Positive = 1e3  # L2 norm of an update above which it is quarantined
    server_optimizer: ServerOptimizerConfig = ServerOptimizerConfig()
    # Site -> modalities or structured values that it does not hold, in simulation only: unequal hospitals.
    withhold: dict[str, tuple[Withheld, ...]] = Field(default_factory=dict)

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
