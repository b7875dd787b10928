"""What a model folder says about the patients it was trained on: the unit, the mode, the budget, what is left open.

It follows from the configuration alone, since every constant of private training does; a model trained with neither
differential privacy nor secure aggregation has no such statement.
"""

from __future__ import annotations

from typing import Any

from shared_model.config import Config

UNCOVERED = (
    "validation figures, and decisions made from them; federated statistics, unless the site charged them",
    "a patient whose records lie at two hospitals: the budgets of both add up",
    "other runs on the same patients: each site's ledger adds them up",
    "how long a site takes for a round",
)
UNMASKED = (
    "statistics before the first round and figures of the finished model, which each site tells under its own minimum",
    "what a sum says of each of a few sites, or of all but one to that one",
    "differences between rounds in which different sites took part",
)


def privacy_statement(config: Config) -> dict[str, Any] | None:
    """The statement of a model trained under `config`; None where it was trained without differential privacy and
    without secure aggregation.
    """
    secure = secure_statement(config)
    found = _private(config) or (secure and {"private": False, "why": "trained without differential privacy"})
    return found and found | ({"secure_aggregation": secure} if secure else {})


def secure_statement(config: Config) -> dict[str, Any] | None:
    """What the coordinator was shown of the sites' updates; None where it was shown each of them."""
    secure = config.secure_aggregation
    if not secure.enabled:
        return None
    return {
        "enabled": True,
        "shown": "the sum of the sites' updates and figures, the weight of each site, and who took part",
        "threshold": secure.threshold or "more than half of the sites that began a round",
        "bits": secure.bits,
        "bound": secure.bound,
        "not_covered": list(UNMASKED),
    }


def _private(config: Config) -> dict[str, Any] | None:
    privacy = config.privacy
    if not privacy.enabled:
        return None
    return {
        "private": not privacy.seeded,
        "why": "draws and noise followed from the run's seed: a simulation, which protects nobody"
        if privacy.seeded
        else "draws and noise came from each site's operating system",
        "unit": "patient, all records of one site; add or remove one",
        "mode": privacy.mode,
        "epsilon": privacy.epsilon,
        "delta": privacy.delta,
        "clip": privacy.clip,
        "not_covered": list(UNCOVERED),
    }
