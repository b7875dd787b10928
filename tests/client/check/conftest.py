"""A site around a folder: its configuration, its state, and what check says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from client.check.check import CheckResult, run_check
from client.site.config import SiteConfig, load_site
from client.site.state import SiteState

Opened = Callable[..., tuple[SiteConfig, SiteState]]


@pytest.fixture
def open_site(tmp_path: Path) -> Opened:
    """The configuration and state of a site whose data lie in a folder; lines: further lines of site.toml."""

    def open_site(folder: Path, lines: str = "[policy]\nminimum_cell = 1\n") -> tuple[SiteConfig, SiteState]:
        file = tmp_path / "site.toml"
        file.write_text(
            f'[site]\nname = "ours"\n[data]\nfolder = "{folder}"\n[resources]\npreset = "tiny"\nprocesses = 1\n{lines}'
        )
        config = load_site(file)
        return config, SiteState.open(config.state, config.key)

    return open_site


@pytest.fixture
def check(open_site: Opened) -> Callable[..., CheckResult]:
    """Check a folder, without timing training steps."""

    def check(folder: Path, *lines: str) -> CheckResult:
        return run_check(*open_site(folder, *lines), estimate=False)

    return check
