"""The keys of `[secure_aggregation]`: the coordinator sees only the sum of the sites' updates, where it is asked for.

How it works, what it protects against and what it costs stands in docs/secure-aggregation.md. What needs the update of
a single site cannot be had with it, and is refused by name before a run begins.
"""

from __future__ import annotations

from typing import Literal

from shared_model.config.federation import ROBUST, FederationConfig
from shared_model.config.section import Natural, Positive, Section

FEWEST_SITES = 3  # of two, each would know the other's update from the sum


class SecureAggregationConfig(Section):
    """threshold: sites that must be left at every step of a round; 0 is more than half of those that began it, and
    less than that is never taken. bits: of a masked number; 32 where rounding to 16 is too coarse. bound: what a number
    may change by in a round, in multiples of what the learning rate and the local steps make of it; a site cuts off
    what is beyond.
    """

    enabled: bool = False
    threshold: Natural = 0
    bits: Literal[16, 32] = 16
    bound: Positive = 2.0

    def left(self, sites: int) -> int:
        """Sites that must be left of so many that began a round."""
        return max(self.threshold, sites // 2 + 1)

    def fewest(self, sites: int) -> int:
        """Sites that anything is opened of at least, where so many were asked."""
        return max(FEWEST_SITES, self.left(sites))


def refusal(config: SecureAggregationConfig, federation: FederationConfig, engine: str) -> str | None:
    """Why this configuration cannot have secure aggregation, or None."""
    if not config.enabled:
        return None
    if federation.strategy in ROBUST:
        return (
            f"federation.strategy {federation.strategy!r} needs the update of every single site, which secure "
            "aggregation hides: use fedavg, fedprox, fedavgm, fedadam or fedyogi"
        )
    if federation.norm_screen:
        return "federation.norm_screen compares the sites' norms, which secure aggregation hides: set it to 0"
    if 0 < federation.sites < FEWEST_SITES:
        return (
            f"secure aggregation needs at least {FEWEST_SITES} sites, federation.sites is {federation.sites}"
        )
    if engine == "ray":
        return "runtime.engine 'ray' moves sites between processes, and their round's keys stay in one: use inline"
    return None
