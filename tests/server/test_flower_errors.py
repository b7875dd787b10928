"""Every error of the Flower that is pinned has a sentence of ours: what happened, and what to do."""

from __future__ import annotations

import pytest
from flwr.common.constant import ErrorCode

from server.flower_errors import meaning
from server.sites import SiteFailure

CODES = {name: code for name, code in vars(ErrorCode).items() if isinstance(code, int)}


@pytest.mark.parametrize("name", CODES)
def test_every_code_says_what_happened_and_what_to_do(name: str) -> None:
    said = meaning(CODES[name])
    assert "does not know;" not in said
    assert "; " in said or "see " in said
    assert said.endswith(f"(Flower error {CODES[name]})")
    assert SiteFailure(said).reason == said  # nothing of it is cut off


def test_a_code_of_another_release_is_said_to_be_unknown() -> None:
    assert "a number that this release does not know" in meaning(max(CODES.values()) + 1)


def test_a_gateway_that_died_is_named_with_the_command_that_mends_it() -> None:
    assert "fedfundus-site start" in meaning(ErrorCode.NODE_UNAVAILABLE)
