"""Private training at a site: the constants that a run registered once, the operating system's noise, the ledger.

The constants outlive the process, so that neither an exclusion nor a restart changes how noisy a run is.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from client.privacy.dp.account import LedgerAccount, Limits
from client.privacy.dp.plan import Plan, make_plan
from client.privacy.dp.randomness import randomness_of
from client.privacy.dp.rounds import PrivateRounds
from client.site.config import SiteConfig
from client.site.contents import private_name
from client.site.ledger import ledger
from client.site.state import SiteState
from shared_model.config import Config
from shared_model.errors import DataError


def private_rounds(
    config: SiteConfig, state: SiteState, plan: Config, run: str, patients: int
) -> PrivateRounds:
    """The private rounds of this site in one run.

    plan: the run's configuration. patients: to train on now; what counts is how many there were when the run first
    asked. Raises ConfigError for noise that somebody else knows, and DataError where there is nobody to train on.
    """
    randomness = randomness_of(plan, config.site.name)
    policy = config.policy
    limits = Limits(policy.epsilon_limit or None, policy.run_epsilon_limit or None, policy.delta_limit)
    account = LedgerAccount(ledger(config, state), run, limits)
    return PrivateRounds(plan, _registered(state, plan, run, patients), randomness, account)


def _registered(state: SiteState, config: Config, run: str, patients: int) -> Plan:
    name = private_name(run)
    kept = state.read(name)
    if kept is not None:  # of this very configuration: client.worker.run_name
        return _read(kept, state, name)
    plan = make_plan(config, patients)
    state.write(name, json.dumps(asdict(plan)).encode())
    return plan


def _read(kept: bytes, state: SiteState, name: str) -> Plan:
    try:
        return Plan(**json.loads(kept))
    except (ValueError, TypeError):
        raise DataError(
            "what this site registered for the noise of this run cannot be read",
            where=str(state.path(name)),
            fix="restore the file from a backup, or launch the run under another name",
        ) from None
