"""Before a deployed run begins: waiting until a quorum of sites would join it.

A plan reaches a site with the question whether it joins, and its operator approves it later, perhaps tomorrow. So that
question is put again until enough sites say yes, or for as long as `federation.silence` says. What then stands in the
way is the handshake's to name.
"""

from __future__ import annotations

import time

from server.errors import RunStopped
from server.handshake import ask_all
from server.patience import Clock
from server.sites import SiteFailure, Sites
from server.store import RunFolder
from server.store.report import WAITS
from shared_model.config.federation import FederationConfig

AGAIN_SECONDS = 5.0
JOIN_SECONDS = 300.0  # that one site has to answer: its first answer reads its photographs


def wait_for_sites(
    sites: Sites, folder: RunFolder, quorum: int, silence: float, clock: Clock = time.monotonic
) -> None:
    """Return once a quorum of sites would join, or when `silence` seconds are over; at once where there is no limit.

    Why a site does not join yet is written down once. Raises RunStopped where somebody asks the run to stop.
    """
    until, ready, told = clock() + silence, set[str](), dict[str, str]()
    while silence:
        there = sites.addresses()
        ready &= set(there)
        refused: dict[str, str] = {}
        asked = [address for address in there if address not in ready]
        limits = FederationConfig(quorum=max(1, len(asked)), silence=JOIN_SECONDS)
        for address, answer in ask_all(sites, "join", asked, limits):
            if isinstance(answer, SiteFailure):
                refused[address] = answer.reason
            else:
                ready.add(address)
        if len(ready) >= quorum or clock() > until:
            return
        if refused != told:
            folder.event(WAITS, connected=len(there), quorum=quorum, refused=refused)
            told = refused
        if folder.stop_requested():
            raise RunStopped(1)
        time.sleep(AGAIN_SECONDS)
