"""What `fedfundus-site budget` tells: what is spent and left, by run and round, and what one more round would take.

Everything is read from the ledger, which is checked first, so that no figure here is of an account that was altered.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from client.privacy.composition import (
    ASKED,
    NOISE,
    PROMISED_DELTA,
    PROMISED_EPSILON,
    RATE,
    ROUND,
    STEPS,
    TRAINING,
    Composition,
    training_of,
)
from client.privacy.ledger import Entry
from client.rights.participation import Use, uses
from client.site.config import SiteConfig
from client.site.contents import private_name
from client.site.ledger import charges
from client.site.state import SiteState

SCHEMA = "fedfundus.budget/1"
# Of a limit (client.privacy.dp.account.Bound.of) the key that sets it: of site.toml or, the last, of the run.
STOPPED_BY = {"all": "policy.epsilon_limit", "run": "policy.run_epsilon_limit", "training": "privacy.epsilon"}


def budget(config: SiteConfig, state: SiteState) -> dict[str, Any]:
    """The document of `--json`. Raises LedgerError where the ledger is lost or not as it was written.

    next: another round of the private run that began last; stopped_by: the limit that allows none of its steps.
    """
    policy = config.policy
    compose = Composition(policy.delta_limit)
    charged = [entry for entry in charges(config, state) if entry.epsilon or entry.delta]
    spent, limit = compose(charged), policy.epsilon_limit or None
    runs = list(dict.fromkeys(entry.run for entry in charged))
    private = {entry.run for entry in charged if entry.what == TRAINING}
    return {
        "schema": SCHEMA,
        "site": config.site.name,
        "limits": {
            "epsilon": limit,
            "run_epsilon": policy.run_epsilon_limit or None,
            "delta": policy.delta_limit,
        },
        "spent": {"epsilon": _finite(spent.epsilon), "delta": spent.delta},
        "left": {"epsilon": None if limit is None else max(0.0, limit - spent.epsilon)},
        "runs": [_run([e for e in charged if e.run == run], compose) for run in runs],
        "next": [_next(run, charged, config) for run in runs if run in private][-1:],
        "without_privacy": _without(state, private),
    }


def is_spent(document: Mapping[str, Any]) -> bool:
    """Whether this site's limit over the life of the data leaves no step of another round. Some epsilon is left then,
    as a rule: less than a step costs. A run that has taken its own steps is no reason, nor is the limit of one run.
    """
    stopped = any(following["stopped_by"] == STOPPED_BY["all"] for following in document["next"])
    return stopped or document["left"]["epsilon"] == 0


def _without(state: SiteState, charged: Collection[str]) -> list[str]:
    """The runs that trained on patients here without differential privacy, as it was recorded when they did.

    charged: the runs whose training was. Where nothing was recorded, they and those that registered noise were private.
    """

    def private(use: Use) -> bool:
        if use.private is not None:
            return use.private
        return use.run in charged or state.path(private_name(use.run)).exists()

    return sorted({use.run for use in uses(state) if not private(use)})


def _run(own: Sequence[Entry], compose: Composition) -> dict[str, Any]:
    total = compose(own)
    return {
        "run": own[0].run,
        "epsilon": _finite(total.epsilon),
        "delta": total.delta,
        "steps": sum(steps.count for steps in training_of(own)),
        "charges": [_charge(entry) for entry in own],
    }


def _charge(entry: Entry) -> dict[str, Any]:
    when = datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="seconds")
    said = {"what": entry.what, "when": when, "epsilon": entry.epsilon, "delta": entry.delta}
    shown = (ROUND, STEPS, ASKED, NOISE, RATE)
    return said | {name: entry.detail[name] for name in shown if name in entry.detail}


def _next(run: str, charged: Sequence[Entry], config: SiteConfig) -> dict[str, Any]:
    """Another round like the run's last one: what everything would come to, and how many of its steps are allowed."""
    from client.privacy.dp.account import Limits, allowed
    from client.privacy.dp.accountant import Steps

    policy = config.policy
    last = next(e.detail for e in reversed(charged) if e.run == run and e.what == TRAINING)
    step = Steps(float(last[NOISE]), float(last[RATE]), int(last[ASKED]))
    limits = Limits(policy.epsilon_limit or None, policy.run_epsilon_limit or None, policy.delta_limit)
    bounds = limits.bounds(float(last[PROMISED_EPSILON]), float(last[PROMISED_DELTA]))
    steps, refusing = allowed(charged, run, step, bounds)
    after = Composition(policy.delta_limit).following(charged, step)
    found = {"run": run, ASKED: step.count, "allowed": steps, "epsilon": _finite(after.epsilon)}
    return found | {"stopped_by": STOPPED_BY[refusing.of] if refusing is not None else None}


def _finite(epsilon: float) -> float | None:
    """JSON has no infinity; an epsilon without a bound is None."""
    return epsilon if math.isfinite(epsilon) else None


def lines(document: Mapping[str, Any]) -> list[str]:
    """The same for a person."""
    limits, spent, left = document["limits"], document["spent"], document["left"]["epsilon"]
    limit = "no limit is set" if left is None else f"{left:.3f} left of {limits['epsilon']:g}"
    found = [f"spent: epsilon {_shown(spent['epsilon'])} at delta {spent['delta']:g}; {limit}"]
    if limits["run_epsilon"] is not None:
        found.append(f"limit of one run's training: epsilon {limits['run_epsilon']:g}")
    for run in document["runs"]:
        whose = "run" if run["steps"] else "federation"  # whose statistics serve all of its runs
        found.append(
            f"{whose} {run['run']}: epsilon {_shown(run['epsilon'])}, {run['steps']} steps of training"
        )
        found += [f"  {_said(charge)}" for charge in run["charges"]]
    for following in document["next"]:
        why = f" ({following['stopped_by']} is used up)" if following["stopped_by"] else ""
        found.append(
            f"another round of run {following['run']}: {following['allowed']} of {following[ASKED]} steps allowed"
            f"{why}; with all of them everything would come to epsilon {_shown(following['epsilon'])}"
        )
    if not document["runs"]:
        found.append("nothing was charged yet")
    if document["without_privacy"]:
        found.append(
            f"trained without differential privacy, which no figure above covers: "
            f"{', '.join(document['without_privacy'])}"
        )
    return found


def _said(charge: Mapping[str, Any]) -> str:
    alone = f"alone epsilon {charge['epsilon']:.3f}"
    if charge["what"] != TRAINING:
        return f"{charge['when']}  {charge['what']}, {alone}"
    taken, asked = charge[STEPS], charge[ASKED]
    steps = f"{taken} steps" if taken == asked else f"{taken} of {asked} steps"
    mechanism = f"noise {charge[NOISE]:.3f}, rate {charge[RATE]:.3f}"
    return f"{charge['when']}  round {charge[ROUND]}, {steps}, {mechanism}, {alone}"


def _shown(epsilon: float | None) -> str:
    return "without bound" if epsilon is None else f"{epsilon:.3f}"
