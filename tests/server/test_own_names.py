"""A site is who its node key says it is, whatever it calls itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from server.errors import CoordinatorError
from server.handshake import join
from server.own_names import REFUSED, OwnNames
from server.sites import SiteFailure
from shared_model.exchange.parameters import Arrays

NAMES = {"1": "moema", "2": "santos"}


@pytest.fixture
def terms(base: Arrays) -> tuple[str, dict[str, list[int]]]:
    """Trunk and tensors that all sites have."""
    return "t" * 64, {name: list(array.shape) for name, array in base.items()}


@pytest.fixture
def sites(scripted: Any, joining: Any) -> Callable[..., Any]:
    """Two nodes that say who they are."""

    def make(**said: str) -> Any:
        found = scripted(dict.fromkeys(NAMES, lambda request: SiteFailure("asked too early")))
        found.joins = {node: joining(said.get(name, name), 10) for node, name in NAMES.items()}
        return found

    return make


def test_sites_under_their_own_names_join(sites: Callable[..., Any], terms: Any) -> None:
    assert join(OwnNames(sites(), lambda: NAMES), *terms).names == NAMES


def test_a_site_that_takes_anothers_name_is_left_out_and_the_others_go_on(
    sites: Callable[..., Any], terms: Any
) -> None:
    lying = OwnNames(sites(santos="moema"), lambda: NAMES)
    assert join(lying, *terms, silence=30.0).names == {"1": "moema"}


def test_without_the_others_the_run_ends_and_says_why(sites: Callable[..., Any], terms: Any) -> None:
    lying = OwnNames(sites(santos="guarda"), lambda: NAMES)
    with pytest.raises(CoordinatorError, match=REFUSED):
        join(lying, *terms, quorum=2, silence=30.0)


def test_nodes_that_a_person_registered_pass_as_they_are(sites: Callable[..., Any], terms: Any) -> None:
    assert join(OwnNames(sites(), dict), *terms).names == NAMES
