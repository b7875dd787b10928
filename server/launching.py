"""Making a run, and handing it to Flower: everything that can be refused is refused before a site hears of it."""

from __future__ import annotations

from datetime import UTC, datetime

from server.errors import Code, CoordinatorError
from server.kit import Kit
from server.signing import make_plan, sign_plan
from server.store.runs import RunStore
from server.submitting import SuperLink, submit
from shared_model.config import Config
from shared_model.config.at_site import require_private_sites
from shared_model.private_training import require_private_run

UNNAMED = "federation"  # of a run without a kit


def launch_run(store: RunStore, config: Config, *, name: str | None, kit: Kit | None, canary: bool) -> str:
    """A new run in the store, its plan signed where there is a kit; its name.

    Raises ConfigError, and nothing is stored, for differential privacy that the configuration cannot have, and for a
    private site that is none of the federation's.
    """
    require_private_run(config)
    if kit is not None:
        require_private_sites(config, kit.sites)
    federation = kit.federation if kit is not None else UNNAMED
    run = name or f"{'canary' if canary else 'run'}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    plan = None
    if kit is not None:
        made = make_plan(config, run=run, federation=federation)
        plan = sign_plan(made, key=kit.key, certificate=kit.certificate)
    store.create(run, config, federation=federation, canary=canary, plan=plan)
    return run


def require_resumable(store: RunStore, run: str) -> None:
    """Raise CoordinatorError for a run that is under way, or finished."""
    row = store.row(run)
    if row.state == "finished":
        raise CoordinatorError(
            Code.NOTHING_TO_RESUME,
            "the run is finished",
            where=run,
            fix="fedfundus-coordinator export gives its model",
        )
    with store.locked(run):
        pass


def require_running(store: RunStore, run: str) -> None:
    """Raise CoordinatorError for a run that is not under way: there is nothing to stop."""
    state = store.row(run).state
    if state != "running":
        raise CoordinatorError(
            Code.NOTHING_TO_STOP, f"the run is {state}", where=run, fix="nothing is left to stop"
        )


def hand_over(store: RunStore, run: str, superlink: SuperLink) -> str:
    """Give the run to Flower; when its state had last changed then. What Flower refuses is written down as failed."""
    store.set_state(run, "submitted")
    was = store.row(run).changed
    try:
        submit(store.open(run).path, superlink)
    except CoordinatorError as error:
        store.set_state(run, "failed", code=error.code.value, reason=error.what)
        raise
    return was
