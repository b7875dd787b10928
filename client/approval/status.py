"""`fedfundus-site status`: what is approved, what waits, and whether the worker answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from client.approval.store import Approvals
from client.gateway.worker_client import WorkerClient
from client.site.config import SiteConfig
from client.site.state import SiteState
from shared_model.errors import RunError
from shared_model.package import package_sha256
from shared_model.run_plan import read_plan
from shared_model.version import PACKAGE_VERSION

READY, WAITS, NOT_SERVING = 0, 1, 3


def status(config: SiteConfig, state: SiteState, socket: Path) -> dict[str, Any]:
    """One JSON document, without a word about the data."""
    approvals = Approvals(state)
    package = package_sha256()
    federation = approvals.known_federation()
    at_work = approvals.at_work()
    return {
        "site": config.site.name,
        "version": PACKAGE_VERSION,
        "federation": None
        if federation is None
        else {"name": federation.federation, "authority": federation.fingerprint},
        "package": {"sha256": package, "approved": approvals.packages().get(package, "")},
        "plans": [
            {
                "sha256": sha256,
                "run": read_plan(kept.signed.text).run,
                "came": kept.came,
                "approved": kept.approved,
                "at_work": at_work is not None and at_work.sha256 == sha256,
            }
            for sha256, kept in approvals.plans().items()
        ],
        "worker": _worker(socket),
    }


def exit_code(document: dict[str, Any]) -> int:
    """0: the worker serves and nothing waits for the operator. 1: something waits. 3: no worker serves."""
    if document["worker"]["problem"]:
        return NOT_SERVING
    plans = document["plans"]
    waits = not document["federation"] or not document["package"]["approved"]
    another = document["worker"]["package"] != document["package"]["sha256"]
    return WAITS if waits or another or any(not plan["approved"] for plan in plans) else READY


def lines(document: dict[str, Any]) -> list[str]:
    """The document for a person."""
    package, worker, federation = document["package"], document["worker"], document["federation"]
    found = [f"site {document['site']}, fedfundus {document['version']}"]
    if worker["problem"]:
        found.append(f"worker: {worker['problem']}")
    else:
        found.append(
            f"worker: serving, {'answers ' + worker['busy'] if worker['busy'] else 'waits for questions'}"
        )
        if worker["package"] != package["sha256"]:
            found.append("  it runs another package than the one installed now: restart it")
    if federation is None:
        found.append("federation: none named (fedfundus-site approve --kit KIT)")
    else:
        found.append(f"federation {federation['name']}, authority {federation['authority'][:16]}")
    found.append(f"package {package['sha256'][:16]}: {_since(package['approved'])}")
    for plan in document["plans"]:
        work = ", at work" if plan["at_work"] else ""
        found.append(f"plan {plan['sha256'][:16]}, run {plan['run']}: {_since(plan['approved'])}{work}")
    return found


def _worker(socket: Path) -> dict[str, Any]:
    with WorkerClient(socket) as client:
        try:
            found = client.status()
        except RunError as error:
            return {"problem": error.what, "package": "", "busy": "", "run": ""}
    return {"problem": "", "package": found.package, "busy": found.busy, "run": found.run}


def _since(when: str) -> str:
    return f"approved {when}" if when else "WAITS for approval (fedfundus-site approve)"
