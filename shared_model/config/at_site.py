"""The configuration of a run as it holds at one site, where differential privacy may be for some sites and not others.

Everything that trains, clips, charges or asks an operator reads this one, so that a site's own answer to "is this run
private" is given in one place.
"""

from __future__ import annotations

from collections.abc import Collection

from shared_model.config.schema import Config
from shared_model.errors import ConfigError


def config_at(config: Config, site: str) -> Config:
    """The same configuration, with `privacy.enabled` false where `site` is not among the private ones.

    Model, losses and trainable parameters are those of the run at every site; privacy.sites stays, and so says that
    the run is a mixed one.
    """
    if not config.privacy.enabled or config.privacy.covers(site):
        return config
    return config.model_copy(update={"privacy": config.privacy.model_copy(update={"enabled": False})})


def require_private_sites(config: Config, sites: Collection[str]) -> None:
    """Raises ConfigError for a name in privacy.sites that is none of `sites`: who is meant would train without it."""
    for name in config.privacy.sites if config.privacy.enabled else ():
        if name not in sites:
            raise ConfigError(
                f"there is no site {name!r:.66} to train privately",
                where="privacy.sites",
                fix=f"use names of sites that take part: {', '.join(sorted(sites))}",
            )
