"""What hospitals do to a round: hang, fail, leave, come back, come late, and send slowly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server import conversation
from server.errors import CoordinatorError, RunStopped
from server.handshake import Roster
from server.rounds import RoundLoop
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from tests.server.waiting_sites import Behaviour, TestClock, WaitingSites

COUNTS = {"1": 10, "2": 30, "3": 2}
NAMES = {"1": "north", "2": "south", "3": "west"}
STEPS = {"1": 0.5, "2": -0.25, "3": 1.0}
LIMITS = ("federation.quorum=2", "federation.grace=60", "federation.silence=600")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TestClock:
    found = TestClock()
    monkeypatch.setattr(conversation, "time", found)  # idle waiting moves the same clock
    return found


@pytest.fixture
def taking(honest_update: Callable[..., Payload]) -> Callable[..., Behaviour]:
    """An honest site that takes some seconds, which may depend on the round."""

    def make(address: str, seconds: Callable[[int], float | None] | float = 5.0) -> Behaviour:
        def behave(question: str, request: Payload) -> Any:
            number = request.fields["round"]
            takes = seconds(number) if callable(seconds) else seconds
            moved = {n: a + np.float32(STEPS[address]) for n, a in request.arrays.items()}
            return None if takes is None else (takes, honest_update(number, COUNTS[address], moved))

        return behave

    return make


@pytest.fixture
def running(
    tmp_path: Path, small_config: Callable[..., Config], clock: TestClock
) -> Callable[..., RoundLoop]:
    def make(sites: WaitingSites, *overrides: str, rounds: int = 2, folder: Any = None) -> RoundLoop:
        config = small_config("training.early_stopping=0", f"federation.rounds={rounds}", *LIMITS, *overrides)
        store = folder or RunFolder(tmp_path / "run")
        loop = RoundLoop(sites, Roster(dict(NAMES), dict(COUNTS)), config, {"s": 1}, store)
        loop.collector.clock = clock
        return loop

    return make


def mean_step(*addresses: str) -> float:
    return sum(COUNTS[a] * STEPS[a] for a in addresses) / sum(COUNTS[a] for a in addresses)


def said(loop: RoundLoop) -> list[tuple[int, str, str]]:
    path = loop.folder.path / "refused-updates.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(row["round"], row["site"], row["reason"]) for row in rows]


def moved(found: Arrays, base: Arrays, step: float) -> None:
    for name, array in base.items():
        np.testing.assert_allclose(found[name], array + step, atol=1e-5)


def test_a_site_that_hangs_costs_the_grace_time_and_after_two_rounds_nothing(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(clock, {"1": taking("1"), "2": taking("2"), "3": taking("3", lambda number: None)})
    loop = running(sites, rounds=4)
    began = []
    found = loop.run(base)
    moved(found, base, 4 * mean_step("1", "2"))
    began = sorted({at for at, question, address in sites.asked if (question, address) == ("train", "1")})
    lasted = [later - earlier for earlier, later in zip(began, began[1:], strict=False)]
    assert lasted == pytest.approx([66, 66, 6], abs=1.5)
    assert said(loop)[0] == (1, "west", "gave no answer in time")
    assert loop.folder.history()[1]["sites"].keys() == {"north", "south"}


def test_a_site_that_comes_back_is_waited_for_again(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    slow = taking("3", lambda number: None if number < 4 else 20.0 if number > 4 else 3.0)
    loop = running(WaitingSites(clock, {"1": taking("1"), "2": taking("2"), "3": slow}), rounds=5)
    loop.run(base)
    assert [sorted(row["sites"]) == ["north", "south", "west"] for row in loop.folder.history()[4:]] == [
        True,
        True,
    ]
    assert loop.folder.history()[5]["sites"]["west"]["examples"] == 2  # 20 seconds were waited for


def test_a_slow_line_ends_no_round_while_bytes_move(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    big = {**base, "model.a": np.zeros((500, 500), np.float32)}  # 1 MB, three times each way
    sites = WaitingSites(
        clock, {"1": taking("1"), "2": taking("2"), "3": taking("3", 300.0)}, rate=lambda now: 2.0**14
    )
    loop = running(sites, rounds=1)
    moved(loop.run(big), big, mean_step("1", "2", "3"))
    assert said(loop) == []


def test_a_site_cannot_hold_the_others_up_by_sending_for_ever(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(
        clock, {"1": taking("1"), "2": taking("2"), "3": taking("3", 1e9)}, rate=lambda now: 2.0**17
    )
    loop = running(sites, rounds=1)
    moved(loop.run(base), base, mean_step("1", "2"))
    assert clock.now < 300


def test_below_the_quorum_the_round_waits_until_a_site_is_back(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    def broken(question: str, request: Payload) -> Any:
        return (1.0, SiteFailure("Flower error 2")) if clock.now < 200 else taking("2")(question, request)

    sites = WaitingSites(
        clock,
        {"1": taking("1"), "2": broken, "3": taking("3")},
        there=lambda now: ["1", "2"] if now < 1e4 else ["1", "2", "3"],
    )
    loop = running(sites, rounds=1)
    moved(loop.run(base), base, mean_step("1", "2"))
    assert 200 < clock.now < 300
    assert said(loop) == [(1, "south", "Flower error 2")]  # noted once, however often it was asked


def test_two_of_three_lost_waits_then_says_so(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    def gone(question: str, request: Payload) -> Any:
        return taking("2")(question, request) if request.fields["round"] == 1 else (0.0, SiteFailure("gone"))

    sites = WaitingSites(
        clock,
        {"1": taking("1"), "2": gone, "3": gone},
        there=lambda now: ["1", "2", "3"] if now < 20 else ["1"],
    )
    sites.behaviours["3"] = lambda q, r: (
        taking("3")(q, r) if r.fields["round"] == 1 else (0.0, SiteFailure("gone"))
    )
    loop = running(sites, rounds=2)
    with pytest.raises(CoordinatorError, match=r"round 2 had 1 usable updates, the quorum is 2") as error:
        loop.run(base)
    assert str(error.value).startswith("C201 ")
    assert error.value.exit_code == 3
    assert 600 <= clock.now < 700
    assert "south: gone; west: gone" in str(error.value)
    moved(loop.folder.load_weights("last"), base, mean_step("1", "2", "3"))  # the last complete round is kept


def test_nobody_answering_at_all_ends_the_round_after_the_silence(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(clock, {a: taking(a, lambda number: None) for a in NAMES})
    with pytest.raises(CoordinatorError, match="had 0 usable updates"):
        running(sites).run(base)
    assert 600 <= clock.now < 610


def test_a_site_that_goes_for_good_is_not_waited_for_once_it_is_no_longer_connected(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(
        clock,
        {a: taking(a) for a in NAMES},
        there=lambda now: ["1", "2", "3"] if now < 5 else ["1", "2"],
    )
    loop = running(sites, rounds=3)
    loop.run(base)
    assert clock.now < 40
    assert [a for _, question, a in sites.asked if question == "train"].count("3") == 1


def test_a_run_stops_when_somebody_asks_it_to(
    taking: Any, running: Any, clock: TestClock, base: Arrays, tmp_path: Path
) -> None:
    class Asked(RunFolder):
        def stop_requested(self) -> bool:
            return clock.now > 30

    sites = WaitingSites(clock, {"1": taking("1"), "2": taking("2", 20.0), "3": taking("3")})
    with pytest.raises(RunStopped, match="stopped on request before round 2") as error:
        running(sites, rounds=9, folder=Asked(tmp_path / "asked")).run(base)
    assert error.value.exit_code == 4
    assert clock.now < 35


def test_without_limits_every_site_is_waited_for(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(clock, {"1": taking("1"), "2": taking("2"), "3": taking("3", 1e5)}, step=1000.0)
    loop = running(sites, "federation.grace=0", "federation.silence=0", rounds=1)
    moved(loop.run(base), base, mean_step("1", "2", "3"))


def test_a_site_that_comes_back_under_another_address_is_asked_there_in_the_same_round(
    taking: Any, running: Any, clock: TestClock, base: Arrays
) -> None:
    sites = WaitingSites(
        clock,
        {"1": taking("1"), "2": taking("2", lambda number: None), "9": taking("2")},
        there=lambda now: ["1", "2"] if now < 100 else ["1", "9"],
    )
    loop = running(sites, rounds=1)

    def present() -> list[str]:
        there = sites.addresses()
        if "9" in there and "2" in loop.roster.names:
            for known in (loop.roster.names, loop.roster.examples):
                known["9"] = known.pop("2")  # type: ignore[index]
        return [a for a in there if a in loop.roster.names]

    loop.collector.present = present
    moved(loop.run(base), base, mean_step("1", "2"))
    assert 100 < clock.now < 130
    assert said(loop) == []
