"""Sites of a secure round, in files of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from secure_sites import SECURE, SecureSites

from shared_model.config import Config


@pytest.fixture
def sites(tmp_path: Path, small_config: Callable[..., Config]) -> Callable[..., SecureSites]:
    def make(count: int, *overrides: str) -> SecureSites:
        config = small_config(*SECURE, "federation.sites=0", *overrides)
        return SecureSites(tmp_path, config, {f"site-{n:02d}": 10 + 37 * n for n in range(count)})

    return make
