"""`fedfundus-site leave`: the site answers nothing more, and its operator knows what is left to do elsewhere.

Models that were trained with this site keep what they learned; only the coordinator can say which they are.
"""

from __future__ import annotations

from contextlib import suppress

from client.approval.store import Approvals
from client.audit.log import AuditLog
from client.services.services import NAMES, forget, services_of
from client.site.config import SiteConfig
from client.site.state import SiteState
from deploy.errors import Code, DeployError
from shared_model.errors import DataError

_DISABLE = "systemctl disable --now fedfundus-gateway fedfundus-proxy fedfundus-worker"


def leave(config: SiteConfig, state: SiteState, *, really: bool) -> list[str]:
    """Stop the processes and take every approval back; sentences about it. really: otherwise only say so."""
    approvals, name = Approvals(state), config.site.name
    federation = approvals.known_federation()
    plans = [sha256 for sha256, kept in approvals.plans().items() if kept.approved]
    packages = list(approvals.packages())
    services = services_of(config)
    running = [process for process in reversed(NAMES) if services.running(process)]
    if really:
        for sha256 in [
            *plans,
            *packages,
        ]:  # before the processes: one that does not stop is answered to no more
            approvals.withdraw(sha256)
        approvals.forget_federation()
        if services.known():
            services.stop([*reversed(NAMES)])
        forget(config)
    done = "" if really else "would be "
    of = federation.federation if federation else "no federation"
    return [
        f"{done}stopped: {', '.join(running) or 'nothing ran'}",
        f"{done}taken back: the trust in {of}, and the approval of {_counted(len(plans), 'run plan')} and of "
        f"{_counted(len(packages), 'package')}",
        "left to do, by others:",
        f"  the coordinator: fedfundus-coordinator withdraw {name} --bar, which names the models it is in",
        f"  the authority: fedfundus-provision revoke {name}",
        *([] if running else ["left to do, here: stop what a service manager runs: " + _DISABLE]),
        "left to do, here: delete the kit; fedfundus-site purge removes what was derived from patients",
        "statistics and updates that were sent cannot be taken back",
    ]


def departure(state: SiteState) -> str:
    """When the site left, by its audit log: ISO time, "" where it has not, or believes a federation again."""
    when = ""
    with suppress(DataError):  # an altered log is the audit command's to tell
        for line in AuditLog(state).lines():
            if line["event"] in ("federation forgotten", "federation trusted"):
                when = str(line["at"]) if line["event"] == "federation forgotten" else ""
    return when


def left_problem(when: str) -> DeployError:
    """What `status` says of a site that has left and runs nothing: there is nothing to mend."""
    return DeployError(
        Code.NOT_SERVING,
        f"this site has left the federation on {when[:10]} and answers nothing",
        fix="nothing; to come back: fedfundus-site start --kit KIT, then fedfundus-site approve --kit KIT",
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
