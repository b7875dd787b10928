"""Sites of a secure run, in files of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from secure_sites import SecureSites
from secure_talk import SITES

from shared_model.config import Config


@pytest.fixture
def sites(tmp_path: Path, small_config: Callable[..., Config]) -> SecureSites:
    overrides = ("federation.rounds=2", "training.learning_rate=1e-4", "federation.sites=0")
    config = small_config("secure_aggregation.enabled=true", "training.warmup_rounds=0", *overrides)
    return SecureSites(tmp_path / "root", config, dict.fromkeys(SITES, 10))


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"
