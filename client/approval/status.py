"""`fedfundus-site status`: what is approved, what waits, and whether the worker answers.

A monitor reads its exit code alone, so that nothing which keeps the site from answering may end with 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from client.approval.store import Approvals, KeptPlan
from client.gateway.worker_client import WorkerClient
from client.site.config import SiteConfig
from client.site.state import SiteState
from deploy.errors import Code, DeployError
from deploy.kits.contents import WARN_DAYS
from shared_model.errors import FedFundusError, RunError
from shared_model.package import package_sha256
from shared_model.run_plan import read_plan
from shared_model.version import PACKAGE_VERSION

READY, WAITS, BROKEN = 0, 1, 3


def status(config: SiteConfig, state: SiteState, socket: Path) -> dict[str, Any]:
    """One JSON document, without a word about the data."""
    approvals = Approvals(state)
    package = package_sha256()
    federation = approvals.known_federation()
    joined, worker = approvals.at_work(), _worker(socket)
    return {
        "site": config.site.name,
        "version": PACKAGE_VERSION,
        "federation": None
        if federation is None
        else {"name": federation.federation, "authority": federation.fingerprint},
        "package": {"sha256": package, "approved": approvals.packages().get(package, "")},
        "plans": [
            _plan(kept, joined is not None and joined.sha256 == sha256, worker["busy"])
            for sha256, kept in approvals.plans().items()
        ],
        "worker": worker,
    }


def _plan(kept: KeptPlan, joined: bool, busy: str) -> dict[str, Any]:
    """joined: whether it is the plan that was joined last. busy: the question that the worker answers now, if any.

    Nobody tells a site that a run has ended, so a plan is at work only while a question of it is answered; joining may
    be of another plan than the last one.
    """
    return {
        "sha256": kept.signed.sha256,
        "run": read_plan(kept.signed.text).run,
        "came": kept.came,
        "approved": kept.approved,
        "withdrawn": kept.withdrawn,
        "joined_last": joined,
        "at_work": joined and busy not in ("", "join"),
    }


def worker_problems(document: dict[str, Any], socket: Path) -> list[dict[str, str]]:
    """What is wrong with the worker, as `told`."""
    if not document["worker"]["problem"]:
        return []
    fix = "fedfundus-site start, or systemctl start fedfundus-worker; fedfundus-site logs worker"
    return [told(DeployError(Code.NOT_SERVING, document["worker"]["problem"], where=str(socket), fix=fix))]


def told(error: FedFundusError) -> dict[str, str]:
    """A problem for a program: its number, what it is, where, and its fix."""
    number = error.code if isinstance(error, DeployError) else Code.UNSOUND
    return {"number": number.value, "problem": error.what, "where": error.where, "fix": error.fix}


def exit_code(document: dict[str, Any]) -> int:
    """0: the site answers and nothing waits for the operator. 1: something waits, or the certificate expires soon.

    3: the site does not answer, or not for long: one of `problems`.
    """
    if document["worker"]["problem"] or document.get("problems"):
        return BROKEN
    plans = document["plans"]
    waits = not document["federation"] or not document["package"]["approved"]
    another = document["worker"]["package"] != document["package"]["sha256"]
    soon = document.get("certificate", {"days_left": WARN_DAYS})["days_left"] < WARN_DAYS
    undecided = any(not plan["approved"] and not plan.get("withdrawn") for plan in plans)
    return WAITS if waits or another or soon or undecided else READY


def problem_lines(problems: list[dict[str, str]]) -> list[str]:
    """Problems for a person, each with its fix."""
    found = []
    for problem in problems:
        found.append(f"PROBLEM {problem['number']} {problem['problem']}")
        found += [f"  {key}: {problem[key]}" for key in ("where", "fix") if problem[key]]
    return found


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
        how = f"withdrawn {plan['withdrawn']}" if plan["withdrawn"] else _since(plan["approved"])
        work = ", at work" if plan["at_work"] else ", joined last" if plan["joined_last"] else ""
        found.append(f"plan {plan['sha256'][:16]}, run {plan['run']}: {how}{work}")
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
