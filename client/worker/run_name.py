"""A run's name stands for one plan at a site, as long as the site remembers the run.

What a site keeps of a run lies under the run's name: the optimiser's moments, what rounding took, the counts and the
noise it registered. Nothing makes names unique, and a coordinator that begins anew may use one again. Moments of a
run without differential privacy would then be added, without noise, to what a private run tells; so a name that was
used for one plan is refused to every other. A run that is resumed keeps its plan, and so its name.
"""

from __future__ import annotations

import hashlib
import json

from client.rights.participation import uses
from client.site.contents import RUN_NAME, WORKER, private_name
from client.site.state import SiteState
from shared_model.config import Config
from shared_model.errors import DataError

_UNRECORDED = "an earlier plan, of which this site kept no record"


def hold_to_its_plan(state: SiteState, run: str, federation: str, plan: Config) -> None:
    """Give the run's name to this plan, or see that it is the plan's already; call it before anything is read of a run.

    plan: the run's configuration; what it is computed on does not count. Raises DataError for a name that is another
    plan's, or under which something is kept and not whose it is.
    """
    name, own = f"{WORKER}/{run}/{RUN_NAME}", _described(federation, plan)
    kept = state.read(name)
    if kept is None:
        if any(state.path(f"{WORKER}/{run}").glob("*.safetensors")) or state.path(private_name(run)).exists():
            raise _taken(run, _UNRECORDED)
        for use in uses(state):
            if use.run == run and use.private != plan.privacy.enabled:
                raise _taken(run, _UNRECORDED if use.private is None else _another(use.private))
        state.write(name, json.dumps(own).encode())
        return
    try:
        known = json.loads(kept)
        private, same = bool(known["private"]), known == own
    except (ValueError, TypeError, KeyError):
        raise DataError(
            f"what this site keeps of the plan of run {run} is damaged",
            where=str(state.path(name)),
            fix="restore the file from a backup, or launch the run under another name",
        ) from None
    if not same:
        raise _taken(run, _another(private))


def _described(federation: str, plan: Config) -> dict[str, str | bool]:
    decides = plan.model_dump(mode="json", exclude={"runtime"})
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return {"federation": federation, "private": plan.privacy.enabled, "config": digest}


def _another(private: bool) -> str:
    return f"another plan, which trains {'under' if private else 'without'} differential privacy"


def _taken(run: str, by: str) -> DataError:
    return DataError(
        f"at this site the run name {run} stands for {by}",
        where=f"run {run}",
        fix="launch the run under another name (fedfundus-coordinator launch --name)",
    )
