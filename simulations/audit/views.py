"""What is attacked, and what the attacker sees of it: the rows of the audit's tables.

The attacker is a coordinator that keeps to the protocol and remembers everything: the model it sent each round and
what came back. Under secure aggregation only the sum over the sites comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared_model.config import Config, load_config
from shared_model.config.exchange import ExchangeConfig

ALL_SHARED, DEFAULTS, SECURE = "all shared", "defaults", "secure aggregation"
NO_NOISE = "control: private, without noise"
PRIVATE_PRESETS = {"tiny": "private-tiny"}  # preset -> the one made for differential privacy
Sees = Literal["each", "sum"]


@dataclass(frozen=True, eq=False)
class View:
    """One configuration under attack. sees: each site's update, or the sum of all. claim: the epsilon promised.

    noise: of what privacy asks for; 0 in a control.
    """

    name: str
    config: Config
    sees: Sees = "each"
    noise: float = 1.0

    @property
    def claim(self) -> float | None:
        """Epsilon of the run for each patient; None where nothing is promised."""
        privacy = self.config.privacy
        return privacy.epsilon if privacy.enabled and self.noise >= 1 else None


def views(base: Config, private: Config, epsilons: Sequence[float]) -> list[View]:
    """All parameters shared, the configuration itself, it under secure aggregation, and `private` at each budget.

    base: as the person asks for it, without differential privacy. Rounding on the way is left out of all of them: it
    is no protection.
    """
    plain = base.model_copy(update={"exchange": ExchangeConfig()})
    found = [
        View(ALL_SHARED, all_shared(plain)),
        View(DEFAULTS, plain),
        View(SECURE, _with(plain, "secure_aggregation", enabled=True), "sum"),
    ]
    return found + [View(f"epsilon {epsilon:g}", at(private, epsilon)) for epsilon in epsilons]


def with_control(attacked: Sequence[View]) -> list[View]:
    """These, and beside private ones the last of them once more: clipped and attacked like it, but with no noise.

    What the control hides is the work of another model and another set of trained parameters, and not of the noise.
    """
    private = [view for view in attacked if view.claim is not None]
    controls = [View(NO_NOISE, view.config, view.sees, noise=0.0) for view in private[-1:]]
    return [*attacked, *controls]


def all_shared(config: Config) -> Config:
    """The same with nothing staying at the site."""
    return _with(config, "model", local=())


def at(config: Config, epsilon: float, **privacy: Any) -> Config:
    """The configuration at a budget. Draws follow from the seed, which the attacks make no use of."""
    changed = {"enabled": True, "epsilon": epsilon, "seeded": True, **privacy}
    plain = config.model_copy(update={"exchange": ExchangeConfig()})
    return _with(plain, "privacy", **changed)


def private_config(preset: str, overrides: Sequence[str] = (), **values: Any) -> Config:
    """The preset for differential privacy that stands beside `preset`."""
    return load_config(PRIVATE_PRESETS.get(preset, "private"), overrides=overrides, **values)


def _with(config: Config, section: str, **values: Any) -> Config:
    changed = getattr(config, section).model_copy(update=values)
    return config.model_copy(update={section: changed})
