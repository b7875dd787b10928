"""How a site stands: its worker and approvals, its processes, its certificate, and the way to the coordinator.

Processes that were started here and not stopped are looked at by their records; otherwise a service manager is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from client.approval.status import status, told, worker_problems
from client.gateway.reaching import reach
from client.services.connected import ended, require_connected
from client.services.leaving import departure, left_problem
from client.services.managed import unit_problems
from client.services.services import GATEWAY, NAMES, Places, expiry, services_of, started, usable
from client.site.config import SiteConfig
from client.site.state import SiteState
from deploy.errors import DeployError
from deploy.kits.contents import WARN_DAYS
from shared_model.errors import FedFundusError


def whole(config: SiteConfig, state: SiteState, socket: Path) -> dict[str, Any]:
    """All that `status` shows: client.approval.status.status, `standing`, and when the site left, if it has.

    socket: where the worker is asked.
    """
    document = status(config, state, socket) | standing(config, state)
    document["problems"] = [*worker_problems(document, socket), *document["problems"]]
    document["left"] = departure(state) if document["federation"] is None else ""
    if document["left"] and document["worker"]["problem"] and "processes" not in document:
        document["problems"] = [told(left_problem(document["left"]))]
    return document


def standing(config: SiteConfig, state: SiteState) -> dict[str, Any]:
    """processes: name -> its id, None where it does not run. certificate, coordinator: with what is wrong, if anything.

    problems: all that keeps the site from answering, each as client.approval.status.told; nothing else where nothing
    was started here and not stopped, when systemd is asked for the processes of the kit's service files.
    """
    place = started(config)
    if place is None:
        return {"problems": [told(error) for error in unit_problems()]}
    services = services_of(config)
    running = {name: services.running(name) for name in NAMES}
    found: dict[str, Any] = {
        "processes": {name: process.pid if process else None for name, process in running.items()},
        "certificate": {"problem": "", "expires": "", "days_left": 0},
        "coordinator": {"problem": "", "reached": ""},
    }
    problems = [told(ended(services, name)) for name in NAMES if running[name] is None]
    if (error := _way(config, state, place, found)) is not None:
        number = error.code.value if isinstance(error, DeployError) else ""
        where = "coordinator" if number.startswith("P4") else "certificate"
        found[where]["problem"] = f"{number} {error.what}".strip()
        problems.append(told(error))
    if running[GATEWAY] is not None and not found["coordinator"]["problem"]:
        try:
            require_connected(services)
        except DeployError as error:
            problems.append(told(error))
    return found | {"problems": problems}


def _way(config: SiteConfig, state: SiteState, place: Places, found: dict[str, Any]) -> FedFundusError | None:
    """Look at the certificate and, where it is good, for the coordinator; what is wrong, if anything."""
    try:
        found["certificate"] |= expiry(usable(config, state, place.kit))
        found["coordinator"]["reached"] = reach(place.kit)
    except FedFundusError as error:
        return error
    return None


def lines(document: dict[str, Any]) -> list[str]:
    """The same for a person."""
    if "processes" not in document and document.get("left"):
        return [f"left the federation on {document['left'][:10]}"]
    if "processes" not in document:
        return [
            "processes: none was started here; a service manager shows its own: systemctl status 'fedfundus-*'"
        ]
    shown = [
        f"{name} {pid}" if pid else f"{name} DOES NOT RUN" for name, pid in document["processes"].items()
    ]
    certificate, coordinator = document["certificate"], document["coordinator"]
    until = f"until {certificate['expires']}, {certificate['days_left']} days"
    soon = " EXPIRES SOON: ask for a renewal" if certificate["days_left"] < WARN_DAYS else ""
    return [
        f"processes: {', '.join(shown)}",
        f"certificate: {certificate['problem'] or until + soon}",
        f"coordinator: {coordinator['problem'] or 'reached at ' + coordinator['reached']}"
        if coordinator["problem"] or coordinator["reached"]
        else "coordinator: not tried",
    ]
