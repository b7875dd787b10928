"""What a model folder says about the patients it was trained on: the unit, the mode, the budget, what is left open.

It follows from the configuration, as every constant of private training does, and from the names of the sites, which
need not all have trained under differential privacy; a model trained with neither that nor secure aggregation has no
such statement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from shared_model.config import Config
from shared_model.config.privacy import PrivacyConfig

UNCOVERED = (
    "figures on validation patients, in every round and of the finished model, and decisions made from them",
    "figures of the finished model on test patients, its held-out table among them",
    "federated statistics, unless the site charged them",
    "how many photographs and patients each site registered, and the rounds and steps it took: these are exact",
    "a patient whose records lie at two hospitals: the budgets of both add up",
    "other runs on the same patients: each site's ledger adds them up",
    "how long a site takes for a round",
)
UNMASKED = (
    "statistics before the first round and figures of the finished model, which each site tells under its own minimum",
    "what a sum says of each of a few sites, or of all but one to that one",
    "differences between rounds in which different sites took part",
)


def privacy_statement(config: Config, sites: Sequence[str] = ()) -> dict[str, Any] | None:
    """The statement of a model trained under `config`; None where it was trained without differential privacy and
    without secure aggregation.

    sites: that took part, where they are known; each is labelled.
    """
    secure = secure_statement(config)
    found = _private(config, sites) or (
        secure and {"private": False, "why": "trained without differential privacy"}
    )
    return found and found | ({"secure_aggregation": secure} if secure else {})


def site_labels(config: Config, sites: Iterable[str]) -> dict[str, str]:
    """Site -> what a run under `config` promises its patients, in words; nothing where it is no private run."""
    if not config.privacy.enabled:
        return {}
    return {name: _label(config, name) for name in sites}


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


def _label(config: Config, site: str) -> str:
    privacy = config.privacy
    if not privacy.covers(site):
        return "not private"
    seeded = ", of seeded noise, which protects nobody" if privacy.seeded else ""
    return f"private: epsilon {privacy.epsilon:g}, delta {privacy.delta:g}{seeded}"


def _private(config: Config, sites: Sequence[str]) -> dict[str, Any] | None:
    privacy = config.privacy
    if not privacy.enabled:
        return None
    known = list(dict.fromkeys([*sites, *privacy.sites]))
    others = [name for name in known if not privacy.covers(name)]
    everywhere = not privacy.sites or (bool(sites) and not others)
    uncovered = [f"patients of {', '.join(others) or 'every other site'}: nothing is promised to them"]
    return {
        "private": everywhere and not privacy.seeded,
        "why": _why(config, others, everywhere=everywhere),
        "sites": site_labels(config, known),
        "unit": "patient, all records of one site; add or remove one",
        "mode": privacy.mode,
        "epsilon": privacy.epsilon,
        "delta": privacy.delta,
        "clip": privacy.clip,
        "remarks": _remarks(privacy),
        "not_covered": [*([] if everywhere else uncovered), *UNCOVERED],
    }


def _remarks(privacy: PrivacyConfig) -> list[str]:
    """What delta means here: it has to be below one in the patients of a site, of which a configuration knows how many
    a step draws and no more.
    """
    most = math.ceil(1 / privacy.delta) - 1
    found = [
        f"delta {privacy.delta:g} is below one in the patients of a site of at most {most} patients; at a larger site "
        "the promise would be kept by publishing a patient whole"
    ]
    if privacy.delta * privacy.patients > 1:
        found.append(
            f"delta {privacy.delta:g} is above one in the {privacy.patients} patients that a step draws: at a site of "
            "as many or more, epsilon promises nothing that could be relied on"
        )
    return found


def _why(config: Config, others: Sequence[str], *, everywhere: bool) -> str:
    why = (
        "draws and noise followed from the run's seed: a simulation, which protects nobody"
        if config.privacy.seeded
        else "draws and noise came from each site's operating system"
    )
    if everywhere:
        return why
    whose = ", ".join(others) or "every site that is not named as private"
    return (
        f"{whose} trained without differential privacy, so that the model as a whole promises nothing to the patients "
        f"there; at the sites named as private, {why}"
    )
