"""What a model folder says about the patients it was trained on: the unit, the mode, the budget, what is left open.

It follows from the configuration alone, since every constant of private training does; a model trained without
differential privacy has no such statement.
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


def privacy_statement(config: Config) -> dict[str, Any] | None:
    """The statement of a model trained under `config`; None where it was trained without differential privacy."""
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
