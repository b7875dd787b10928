"""Secure rounds of a hospital: keys believed by its operator's federation, opened rounds remembered with its state."""

from __future__ import annotations

from client.approval.store import Approvals
from client.privacy.secure_aggregation.believed import CertifiedSites
from client.privacy.secure_aggregation.opened import NAME, OpenedRounds
from client.privacy.secure_aggregation.rounds import SecureRounds
from client.site.config import SiteConfig
from client.site.contents import WORKER
from client.site.state import SiteState
from shared_model.config import Config


def deployed_rounds(
    config: SiteConfig, state: SiteState, plan: Config, run: str, federation: str
) -> SecureRounds:
    """Of one run. run, federation: their names."""
    name = f"{WORKER}/{run}/{NAME}"
    opened = OpenedRounds(lambda: state.read(name), lambda content: state.write(name, content))
    believed = CertifiedSites(lambda: Approvals(state).trusted)
    return SecureRounds(config.site.name, plan, f"{federation}/{run}", believed, opened)
