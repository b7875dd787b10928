from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedMedian, Krum, MultiKrum

from server.aggregation import WaitingUpdates, aggregate_of
from server.aggregation import waiting as waiting_module
from server.aggregation.coordinates import trimmed_mean
from server.aggregation.krum import chosen
from server.strategies.flower_bridge import WEIGHT_KEY, _reply
from shared_model.config.federation import ROBUST, FederationConfig
from shared_model.errors import RunError
from shared_model.exchange.parameters import Arrays

SITES = ("a", "b", "c", "d", "e")


def updates(base: Arrays, seed: int = 1) -> dict[str, Arrays]:
    random = np.random.default_rng(seed)
    return {
        site: {n: np.asarray(a + random.normal(size=a.shape), np.float32) for n, a in base.items()}
        for site in SITES
    }


@pytest.fixture
def aggregated(base: Arrays, tmp_path: Path) -> Callable[..., Arrays]:
    def make(rule: str, given: dict[str, Arrays], *, malicious: int = 1, **without: Any) -> Arrays:
        config = FederationConfig(strategy=rule, malicious=malicious)  # type: ignore[arg-type]
        aggregate = WaitingUpdates(base, config, tmp_path)
        for site, update in given.items():
            aggregate.add(site, update, 7, without.get(site, ()))
        found = aggregate.onto(base)
        aggregate.close()
        return found

    return make


def flowers(strategy: Any, given: dict[str, Arrays]) -> Arrays:
    """What Flower's own strategy makes of the same updates, each counting the same."""
    replies = []
    for update in given.values():
        reply = _reply(update)
        record = ArrayRecord({name: Array(array) for name, array in update.items()})
        reply.content = RecordDict({"arrays": record, "metrics": MetricRecord({WEIGHT_KEY: 1})})
        replies.append(reply)
    arrays, _ = strategy.aggregate_train(1, replies)
    return {name: arrays[name].numpy() for name in next(iter(given.values()))}


@pytest.mark.parametrize(
    ("rule", "strategy"),
    [
        ("median", FedMedian()),
        ("krum", Krum(num_malicious_nodes=1)),
        ("multi_krum", MultiKrum(num_malicious_nodes=1, num_nodes_to_select=4)),
    ],
)
def test_a_rule_gives_what_flowers_strategy_gives(
    rule: str, strategy: Any, aggregated: Callable[..., Arrays], base: Arrays
) -> None:
    given = updates(base)
    found, expected = aggregated(rule, given), flowers(strategy, given)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)


def test_the_trimmed_mean_leaves_out_the_largest_and_the_smallest_of_each_number(
    aggregated: Callable[..., Arrays], base: Arrays
) -> None:
    given = updates(base)
    found = aggregated("trimmed_mean", given)
    for name in base:
        ordered = np.sort(np.stack([update[name] for update in given.values()]), axis=0)
        np.testing.assert_allclose(found[name], ordered[1:4].mean(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("cut", [2, 2**18])
def test_neither_the_order_of_arrival_nor_the_slices_change_a_bit(
    rule: str, cut: int, aggregated: Callable[..., Arrays], base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "SLICE", cut)
    given = updates(base)
    found = [
        aggregated(rule, {site: given[site] for site in order})
        for order in itertools.islice(itertools.permutations(SITES), 0, 120, 17)
    ]
    for other in found[1:]:
        assert all(other[name].tobytes() == found[0][name].tobytes() for name in base)


@pytest.mark.parametrize("rule", ROBUST)
def test_one_update_however_large_moves_the_model_no_further_than_the_others_lie_apart(
    rule: str, aggregated: Callable[..., Arrays], base: Arrays
) -> None:
    given = updates(base)
    for value in (1e6, -1e6):
        found = aggregated(rule, {**given, "c": {n: a + np.float32(value) for n, a in base.items()}})
        honest = [given[site] for site in SITES if site != "c"]
        for name in base:
            values = np.stack([update[name] for update in honest])
            assert (found[name] <= values.max(axis=0) + 1e-5).all()
            assert (found[name] >= values.min(axis=0) - 1e-5).all()


@pytest.mark.parametrize("rule", ROBUST)
def test_a_tensor_that_too_few_trained_stays_as_it_was(
    rule: str, aggregated: Callable[..., Arrays], base: Arrays
) -> None:
    given = updates(base)
    idle = {site: {**given[site], "model.a": base["model.a"]} for site in ("a", "b", "c")}
    without = dict.fromkeys(("a", "b", "c"), ("model.a",))
    found = aggregated(rule, {**given, **idle}, **without)
    if rule in ("trimmed_mean", "median"):  # two of five could both be lying
        assert np.array_equal(found["model.a"], base["model.a"])
    assert not np.array_equal(found["model.b"], base["model.b"])


def test_nothing_waits_in_a_file_that_a_killed_process_would_leave(base: Arrays, tmp_path: Path) -> None:
    aggregate = WaitingUpdates(base, FederationConfig(strategy="median"), tmp_path)
    aggregate.add("a", base, 1)
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_updates_is_one_message_and_no_signal(base: Arrays) -> None:
    full = WaitingUpdates(base, FederationConfig(strategy="median"), Path("/tmp"))
    full._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
    with pytest.raises(RunError, match="disk is full"):
        full.add("a", base, 1)


@pytest.mark.parametrize(("sites", "malicious"), [(4, 1), (6, 2), (2, 0)])
def test_krum_refuses_fewer_than_two_f_and_three(sites: int, malicious: int) -> None:
    with pytest.raises(ValueError, match=f"needs {2 * malicious + 3} updates, there are {sites}"):
        chosen(np.eye(sites), malicious, 1)


@pytest.mark.parametrize(
    ("strategy", "malicious", "quorum", "minimum"),
    [
        ("fedavg", 3, 1, 1),
        ("fedavg", 3, 4, 4),
        ("median", 1, 1, 3),
        ("trimmed_mean", 2, 1, 5),
        ("krum", 1, 1, 5),
        ("multi_krum", 2, 1, 7),
        ("krum", 1, 6, 6),
        ("median", 0, 1, 1),
    ],
)
def test_a_round_needs_what_its_strategy_needs(
    strategy: str, malicious: int, quorum: int, minimum: int
) -> None:
    assert (
        FederationConfig(strategy=strategy, malicious=malicious, quorum=quorum).minimum  # type: ignore[arg-type]
        == minimum
    )


def test_whoever_was_caught_need_not_be_guarded_against() -> None:
    """Else one site could stop the others by sending NaN; but as long as there are enough, nothing is given up."""
    krum = FederationConfig(strategy="krum", malicious=2)
    assert [krum.needed(caught) for caught in (0, 1, 2, 5)] == [7, 5, 3, 3]
    assert [krum.tolerated(n, caught=1) for n in (5, 6, 7, 9)] == [1, 1, 2, 2]
    assert FederationConfig(strategy="krum", quorum=6).needed(caught=1) == 6


def test_trimming_nothing_is_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_allclose(trimmed_mean(values, 0), values.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("strategy", ["fedavg", "median"])
def test_an_aggregate_of_nothing_is_refused(strategy: str, base: Arrays, tmp_path: Path) -> None:
    config = FederationConfig(strategy=strategy)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError, match="no update"):
        aggregate_of(config, base, tmp_path).onto(base)
