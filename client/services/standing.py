"""How a site that was started here stands: its processes, its certificate, and the way to the coordinator."""

from __future__ import annotations

from typing import Any

from client.gateway.reaching import reach
from client.services.services import NAMES, expiry, places, services_of, usable
from client.site.config import SiteConfig
from client.site.state import SiteState
from deploy.errors import DeployError
from deploy.kits.contents import WARN_DAYS
from shared_model.errors import FedFundusError


def standing(config: SiteConfig, state: SiteState) -> dict[str, Any]:
    """processes: name -> its id, None where it does not run. certificate, coordinator: with what is wrong, if anything.

    Empty where nothing was ever started here: a service manager's processes are its own to show.
    """
    place = places(config)
    if place is None:
        return {}
    services = services_of(config)
    running = {name: services.running(name) for name in NAMES}
    found: dict[str, Any] = {
        "processes": {name: process.pid if process else None for name, process in running.items()},
        "certificate": {"problem": "", "expires": "", "days_left": 0},
        "coordinator": {"problem": "", "reached": ""},
    }
    try:
        found["certificate"] |= expiry(usable(config, state, place.kit))
        found["coordinator"]["reached"] = reach(place.kit)
    except DeployError as error:
        where = "coordinator" if error.code.value.startswith("P4") else "certificate"
        found[where]["problem"] = f"{error.code.value} {error.what}"
    except FedFundusError as error:
        found["certificate"]["problem"] = error.what
    return found


def lines(document: dict[str, Any]) -> list[str]:
    """The same for a person."""
    if "processes" not in document:
        return []
    told = [f"{name} {pid}" if pid else f"{name} DOES NOT RUN" for name, pid in document["processes"].items()]
    certificate, coordinator = document["certificate"], document["coordinator"]
    until = f"until {certificate['expires']}, {certificate['days_left']} days"
    soon = " EXPIRES SOON: ask for a renewal" if certificate["days_left"] < WARN_DAYS else ""
    return [
        f"processes: {', '.join(told)}",
        f"certificate: {certificate['problem'] or until + soon}",
        f"coordinator: {coordinator['problem'] or 'reached at ' + coordinator['reached']}"
        if coordinator["problem"] or coordinator["reached"]
        else "coordinator: not tried",
    ]
