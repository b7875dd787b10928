"""What secure aggregation will leave untrained is told before the run, not found out after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model.config import Config
from simulations.prepare import prepare


@pytest.mark.parametrize(
    ("lacking", "secure", "said"),
    [(("site-2", "site-3"), True, True), (("site-3",), True, False), (("site-2", "site-3"), False, False)],
)
def test_a_part_that_one_site_alone_could_train_is_told(
    lacking: tuple[str, ...],
    secure: bool,
    said: bool,
    data_folder: Path,
    small_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    without = [f'federation.withhold.{site}=["text"]' for site in lacking]
    enabled = f"secure_aggregation.enabled={str(secure).lower()}"
    config = small_config("federation.sites=3", enabled, *without)
    notices = prepare(data_folder, config, tmp_path / "workspace").notices
    assert any("One site alone has records to train the part text" in notice for notice in notices) == said
