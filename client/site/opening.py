"""A site as its commands find it: site.toml and the state folder, with what [retention] says is too old deleted.

Opening waits for nobody, and is not refused while a round trains, so that what an operator looks at, takes back or
starts again can be at any time; a command that must be alone with the state takes its lock itself.
"""

from __future__ import annotations

from pathlib import Path

from client.rights.retention import expire
from client.site.config import SiteConfig, load_site
from client.site.state import SiteState
from shared_model.command_line import errors


def open_site(config_file: Path) -> tuple[SiteConfig, SiteState]:
    """The site's configuration and state. Raises DataError or ConfigError naming what is wrong with either."""
    config = load_site(config_file)
    state = SiteState.open(config.state, config.key, encrypt=config.storage.encrypt)
    for removed in expire(state, config.retention.model_dump()):
        errors.print(f"notice: deleted by [retention] in site.toml: {removed}", markup=False)
    return config, state
