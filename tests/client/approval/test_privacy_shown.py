"""What an operator reads of differential privacy before approving a plan: whether it holds at this site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from deployed import Site, plan_of, signed_by_kit, write_plan

from client.approval.approve import summary
from shared_model.config import Config
from shared_model.config.at_site import config_at
from tests.client.approval.conftest import PACKAGE, Run


@pytest.fixture(scope="module")
def shown(small_config: Callable[..., Config]) -> Callable[..., str]:
    def line(site: str, *overrides: str) -> str:
        plan = plan_of(small_config(*overrides))
        (found,) = (line for line in summary(plan, "ab" * 32, site) if line.startswith("  privacy:"))
        return found.removeprefix("  privacy: ")

    return line


def test_the_screen_says_whether_this_site_trains_privately(shown: Callable[..., str]) -> None:
    assert shown("paulista") == "none: updates are not made private"
    everywhere = shown("paulista", "privacy.enabled=true", "privacy.epsilon=3.0")
    assert everywhere.startswith("mode prototypes, epsilon 3.0")
    mixed = ("privacy.enabled=true", "privacy.epsilon=3.0", "privacy.sites=santos,recife")
    named, other = shown("santos", *mixed), shown("paulista", *mixed)
    assert named.startswith("this site trains privately: mode prototypes, epsilon 3.0")
    assert named.endswith("; recife too, and no other site")
    assert other.startswith("NONE AT THIS SITE: updates of paulista are not made private")
    assert "only santos, recife train privately" in other


def test_after_a_rename_the_name_that_the_worker_goes_by_is_shown(
    operator: Run, site: Site, kits: Path, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    site.trust()  # a kit of paulista
    site.file.write_text(site.file.read_text().replace('"paulista"', '"moema"'))
    plan = plan_of(small_config("privacy.enabled=true", "privacy.sites=paulista"))
    file = write_plan(signed_by_kit(plan, kits / "coordinator"), tmp_path / "plan.json")
    told = operator("approve", file, "--hash", PACKAGE)[1]
    assert "NONE AT THIS SITE: updates of moema are not made private" in told
    assert not config_at(plan.config, site.opened()[0].site.name).privacy.enabled  # as the worker decides
