"""`fedfundus-site leave`: the site answers nothing more, and its operator knows what is left to do elsewhere.

Models that were trained with this site keep what they learned; only the coordinator can say which they are.
"""

from __future__ import annotations

from client.approval.store import Approvals
from client.services.services import NAMES, services_of
from client.site.config import SiteConfig
from client.site.state import SiteState


def leave(config: SiteConfig, state: SiteState, *, really: bool) -> list[str]:
    """Stop the processes and take every approval back; sentences about it. really: otherwise only say so."""
    approvals, name = Approvals(state), config.site.name
    federation = approvals.known_federation()
    plans = [sha256 for sha256, kept in approvals.plans().items() if kept.approved]
    packages = list(approvals.packages())
    running = [process for process in reversed(NAMES) if services_of(config).running(process)]
    if really:
        for sha256 in [
            *plans,
            *packages,
        ]:  # before the processes: one that does not stop is answered to no more
            approvals.withdraw(sha256)
        approvals.forget_federation()
        services_of(config).stop([*reversed(NAMES)])
    done = "" if really else "would be "
    of = federation.federation if federation else "no federation"
    return [
        f"{done}stopped: {', '.join(running) or 'nothing ran'}",
        f"{done}taken back: the trust in {of}, and the approval of {_counted(len(plans), 'run plan')} and of "
        f"{_counted(len(packages), 'package')}",
        "left to do, by others:",
        f"  the coordinator: fedfundus-coordinator withdraw {name} --bar, which names the models it is in",
        f"  the authority: fedfundus-provision revoke {name}",
        "left to do, here: delete the kit; fedfundus-site purge removes what was derived from patients",
        "statistics and updates that were sent cannot be taken back",
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
