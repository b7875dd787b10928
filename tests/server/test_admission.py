"""Sites that come in late, under another address, or differently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server import conversation, handshake, patience
from server.admission import Admission
from server.errors import CoordinatorError
from server.handshake import Roster, Terms, gather_statistics, join
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays
from tests.server.waiting_sites import TestClock, WaitingSites

TRUNK = "t" * 64


class Told(RunFolder):
    """A folder that remembers its events."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.events: list[tuple[str, dict[str, Any]]] = []

    def event(self, what: str, **detail: Any) -> None:
        self.events.append((what, detail))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TestClock:
    found = TestClock()
    monkeypatch.setattr(conversation, "time", found)
    monkeypatch.setattr(handshake, "time", found)
    monkeypatch.setattr(patience.Patience.__init__, "__defaults__", (0, found))
    return found


@pytest.fixture
def admission(
    clock: TestClock, joining: Callable[..., Payload], base: Arrays, tmp_path: Path
) -> Callable[..., tuple[Admission, WaitingSites]]:
    def make(**fields: Any) -> tuple[Admission, WaitingSites]:
        answers = {
            "1": joining("north"),
            "2": joining("south"),
            "9": joining("north"),
            "3": joining("west", **fields),
        }
        sites = WaitingSites(clock, {a: lambda q, r, a=a: (1.0, answers[a]) for a in answers})
        terms = Terms(TRUNK, {name: list(array.shape) for name, array in base.items()})
        roster = Roster({"1": "north", "2": "south"}, {"1": 10, "2": 10})
        return Admission(sites, roster, terms, Told(tmp_path)), sites

    return make


def test_a_newcomer_is_compared_and_comes_in(admission: Any) -> None:
    found, sites = admission()
    sites.there = lambda now: ["1", "2", "3"]
    assert found.present() == ["1", "2", "3"]
    assert found.roster.names["3"] == "west"
    assert found.folder.events == [("joined", {"site": "west", "examples": 10})]
    asked = len(sites.asked)
    assert found.present() == ["1", "2", "3"]
    assert len(sites.asked) == asked  # once


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": "0.0.0"}, "C103"),
        ({"trunk": "u" * 64}, "C103"),
        ({"examples": 0}, "registers 0"),
        ({"examples": -1}, "C106"),
    ],
)
def test_a_newcomer_that_differs_is_turned_away_and_the_run_goes_on(
    fields: dict[str, Any], why: str, admission: Any
) -> None:
    found, sites = admission(**fields)
    sites.there = lambda now: ["1", "2", "3"]
    for _ in range(3):
        assert found.present() == ["1", "2"]
    ((what, detail),) = found.folder.events
    assert what == "turned away"
    assert why in f"{detail.get('code')} {detail['reason']}"
    assert [a for _, _, a in sites.asked].count("3") == 1  # until it goes and comes back
    sites.there = lambda now: ["1", "2"]
    found.present()
    sites.there = lambda now: ["1", "2", "3"]
    found.present()
    assert [a for _, _, a in sites.asked].count("3") == 2


def test_a_site_that_comes_back_under_another_address_takes_its_place_again(admission: Any) -> None:
    found, sites = admission()
    sites.there = lambda now: ["2", "9"]
    assert found.present() == ["2", "9"]
    assert found.roster.names == {"2": "south", "9": "north"}


def test_nobody_takes_the_name_of_a_site_that_is_there(admission: Any) -> None:
    found, sites = admission()
    sites.there = lambda now: ["1", "2", "9"]
    assert found.present() == ["1", "2"]
    assert found.folder.events[0][1]["code"] == "C104"


def test_a_site_that_hangs_when_it_is_asked_to_join_is_left_out_where_the_others_are_enough(
    clock: TestClock, joining: Callable[..., Payload], base: Arrays
) -> None:
    tensors = {name: list(array.shape) for name, array in base.items()}
    answers: dict[str, Any] = {
        "1": lambda q, r: (1.0, joining("north")),
        "2": lambda q, r: (1.0, joining("south")),
        "3": lambda q, r: None,
    }
    sites = WaitingSites(clock, answers)
    roster = join(sites, TRUNK, tensors, quorum=2, grace=30.0, silence=300.0)
    assert roster.names == {"1": "north", "2": "south"}
    assert clock.now < 35
    with pytest.raises(CoordinatorError, match=r"C102 a site did not answer 'join': gave no answer in time"):
        join(sites, TRUNK, tensors, quorum=3, grace=30.0, silence=300.0)


def test_a_launch_waits_for_a_quorum_of_sites_to_connect(
    clock: TestClock, joining: Callable[..., Payload], base: Arrays
) -> None:
    tensors = {name: list(array.shape) for name, array in base.items()}
    sites = WaitingSites(
        clock,
        {a: lambda q, r, a=a: (1.0, joining(f"site-{a}")) for a in ("1", "2")},
        there=lambda now: ["1"] if now < 50 else ["1", "2"],
    )
    assert len(join(sites, TRUNK, tensors, quorum=2, silence=300.0).names) == 2
    sites.there = lambda now: []
    with pytest.raises(CoordinatorError, match="C101 no site is connected"):
        join(sites, TRUNK, tensors, quorum=2, silence=300.0)


def test_statistics_below_the_quorum_are_none(clock: TestClock) -> None:
    sites = WaitingSites(clock, {a: lambda q, r: (1.0, SiteFailure("refused")) for a in ("1", "2")})
    with pytest.raises(CoordinatorError, match="C102 a site did not answer 'statistics': refused; refused"):
        gather_statistics(sites, Roster({"1": "a", "2": "b"}, {}), quorum=1, silence=60.0)
