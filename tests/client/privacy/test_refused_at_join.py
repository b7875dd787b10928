"""A budget that no noise reaches at this site is told when the site is asked to join, by its key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared_model.errors import ConfigError
from tests.client.privacy.private_sites import PrivateSite


def test_a_site_whose_patients_are_too_few_for_the_budget_does_not_join(
    private_site: Callable[..., PrivateSite],
) -> None:
    site = private_site("", "privacy.epsilon=0.001", "training.local_steps=2", "federation.rounds=2")
    with pytest.raises(ConfigError) as caught:
        site.worker().join()
    assert (
        "no noise is enough for so small a privacy.epsilon" in caught.value.what
    )  # which may leave the site
    assert site.trained() == []
