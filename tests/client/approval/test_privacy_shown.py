"""What an operator reads of differential privacy before approving a plan: whether it holds at this site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deployed import plan_of

from client.approval.approve import summary
from shared_model.config import Config


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
