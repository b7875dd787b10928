"""What a site's processes wrote, for its own operator: it may name paths and must not be handed on as it is."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from client.services.services import PROXY, services_of
from client.site.config import SiteConfig

PROXY_LOG = "proxy-error.log"  # the kit's nginx configuration names it


def log_files(config: SiteConfig, name: str) -> list[Path]:
    """The logs of one process that are there."""
    services = services_of(config)
    files = [services.log(name)]
    if name == PROXY:
        files.append(services.folder / PROXY / PROXY_LOG)
    return [file for file in files if file.is_file()]


def last_lines(config: SiteConfig, name: str, count: int) -> list[str]:
    """The last lines of a process's logs."""
    found: list[str] = []
    for file in log_files(config, name):
        with file.open(encoding="utf-8", errors="replace") as stream:
            found += [line.rstrip("\n") for line in deque(stream, maxlen=count)]
    return found[-count:]
