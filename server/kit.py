"""What the coordinator's kit says to the commands: federation, SuperLink, and the key that signs run plans."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from server.errors import Code, CoordinatorError
from server.submitting import SuperLink
from shared_model.config.validation import read_toml
from shared_model.errors import ConfigError

ROSTER = "roster.json"  # who may connect, in the coordinator's kit


@dataclass(frozen=True)
class Kit:
    """key, certificate: the coordinator's, PEM. sites: names of those that have a kit."""

    federation: str
    superlink: SuperLink
    key: bytes
    certificate: bytes
    sites: tuple[str, ...] = ()


def read_kit(folder: Path) -> Kit:
    """The coordinator's kit in `folder`. Raises ConfigError for a site's, CoordinatorError for half of one."""
    settings = read_toml(folder / "kit.toml")
    if settings.get("role") != "coordinator":
        raise ConfigError(
            "this is not the coordinator's kit", where=str(folder), fix="give that one with --kit"
        )
    try:
        return Kit(
            str(settings["federation"]),
            SuperLink(settings["superlink"]["address"], folder / settings["loopback"]["certificate"]),
            (folder / "keys" / "coordinator.key").read_bytes(),
            (folder / "certificates" / "coordinator.pem").read_bytes(),
            tuple(str(site["name"]) for site in json.loads((folder / ROSTER).read_text("utf-8"))["sites"]),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CoordinatorError(
            Code.NOT_STARTED,
            f"the kit is not whole ({type(error).__name__})",
            where=str(folder),
            fix="fedfundus-provision verify names what is missing",
        ) from None
