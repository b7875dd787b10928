from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from client.data.images import ImageStore
from client.statistics.policy import OPEN, Policy
from client.statistics.site_answer import site_answer
from server.handshake import gather_statistics, join
from server.sites import SiteFailure
from shared_model.errors import DataError, RunError
from shared_model.exchange import Payload
from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.exchange.parameters import Arrays
from shared_model.statistics import pool

TRUNK = "t" * 64


@pytest.fixture
def sites(scripted: Callable[..., Any], joining: Callable[..., Payload]) -> Any:
    found = scripted({"1": lambda p: p, "2": lambda p: p})
    found.joins = {"1": joining("north", 10), "2": joining("south", 20)}
    return found


@pytest.fixture
def tensors(base: Arrays) -> dict[str, list[int]]:
    return {name: list(array.shape) for name, array in base.items()}


def test_sites_join_with_name_and_count(sites: Any, tensors: dict[str, list[int]]) -> None:
    roster = join(sites, TRUNK, tensors)
    assert roster.names == {"1": "north", "2": "south"}
    assert roster.examples == {"1": 10, "2": 20}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"version": "0.0.0"},
            r"another package version: 0\.0\.0 instead of[\s\S]*site south[\s\S]*same release",
        ),
        ({"version": None}, "another package version"),
        ({"trunk": "u" * 64}, r"another trunk fingerprint[\s\S]*site south[\s\S]*pretrained weights"),
        ({"tensors": {}}, r"another list of shared tensors[\s\S]*site south[\s\S]*model configuration"),
        ({"tensors": {"model.a": [4, 3], "model.b": [5]}}, "another list of shared tensors"),
        ({"site": "north"}, "two sites have the same name"),
        ({"examples": 0}, r"no training patients[\s\S]*site south"),
        ({"examples": -9}, r"registers -9 training records[\s\S]*site south"),
        ({"examples": "many"}, "registers many training records"),
        ({"examples": 10**9}, f"a round can add {LARGEST_WEIGHT}"),
    ],
)
def test_a_site_that_differs_is_refused_by_name(
    fields: dict[str, Any],
    words: str,
    sites: Any,
    tensors: dict[str, list[int]],
    joining: Callable[..., Payload],
) -> None:
    sites.joins["2"] = joining("south", **fields) if "site" not in fields else joining(**fields)
    with pytest.raises(RunError, match=words):
        join(sites, TRUNK, tensors)


def test_an_answer_without_anything_is_refused(sites: Any, tensors: dict[str, list[int]]) -> None:
    sites.joins["2"] = Payload()
    with pytest.raises(RunError, match="another package version"):
        join(sites, TRUNK, tensors)


def test_a_site_that_does_not_answer_is_named(sites: Any, tensors: dict[str, list[int]]) -> None:
    sites.joins["2"] = SiteFailure("error at the site (OSError)")
    with pytest.raises(RunError, match=r"did not answer 'join': error at the site[\s\S]*address 2"):
        join(sites, TRUNK, tensors)


def test_a_federation_of_nobody_is_refused(
    scripted: Callable[..., Any], tensors: dict[str, list[int]]
) -> None:
    with pytest.raises(RunError, match="no site is connected"):
        join(scripted({}), TRUNK, tensors)


def test_a_quorum_above_the_number_of_sites_is_refused_before_any_training(
    sites: Any, tensors: dict[str, list[int]]
) -> None:
    assert join(sites, TRUNK, tensors, quorum=2).names == {"1": "north", "2": "south"}
    with pytest.raises(RunError, match=r"quorum is 3, but only 2 sites[\s\S]*federation\.quorum"):
        join(sites, TRUNK, tensors, quorum=3)
    assert {question for question, _, _ in sites.asked} == {"join"}


def test_round_0_pools_the_sites_statistics_whatever_their_order(
    sites: Any, scripted: Callable[..., Any], records: pd.DataFrame, images: ImageStore
) -> None:
    half = records["patient_id"].astype(int) % 2 == 0
    messages = [site_answer(records[part], images, OPEN) for part in (half, ~half)]
    answers = {a: Payload(fields={"statistics": m}) for a, m in zip(("1", "2"), messages, strict=True)}
    sites.statistics = answers
    backwards = scripted(sites.train, order=lambda addresses: addresses[::-1])
    backwards.statistics = answers
    pooled = gather_statistics(sites)
    assert pooled == gather_statistics(backwards)
    assert pooled.sites == ("1", "2")
    assert pooled.standardisation() == pool(messages)
    assert pooled.standardisation().class_counts == pool([site_answer(records, images, OPEN)]).class_counts


def test_statistics_name_the_sites_as_they_joined(
    sites: Any, tensors: dict[str, list[int]], records: pd.DataFrame
) -> None:
    message = site_answer(records, None, Policy(minimum_cell=0, answer=frozenset({"grades"})))
    sites.statistics = {"1": Payload(fields={"statistics": message}), "2": Payload(fields={})}
    roster = join(sites, TRUNK, tensors)
    with pytest.raises(DataError, match=r"cannot be understood[\s\S]*site south"):
        gather_statistics(sites, roster)
    sites.statistics["2"] = Payload(fields={"statistics": {**message, "schema": "0" * 64}})
    with pytest.raises(DataError, match=r"another schema[\s\S]*site south"):
        gather_statistics(sites, roster)
    sites.statistics["2"] = sites.statistics["1"]
    assert gather_statistics(sites, roster).sites == ("north", "south")


@pytest.mark.parametrize("fields", [{}, {"statistics": None}, {"statistics": {"records": 1}}])
def test_statistics_that_cannot_be_understood_are_refused(fields: dict[str, Any], sites: Any) -> None:
    sites.statistics = {"1": Payload(fields=fields), "2": Payload(fields=fields)}
    with pytest.raises(DataError, match="cannot be understood"):
        gather_statistics(sites)
