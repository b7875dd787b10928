"""A deployed run waits for its sites: until a quorum of operators has approved, and it says who has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from server import gathering
from server.errors import RunStopped
from server.gathering import wait_for_sites
from server.sites import Question, SiteFailure, Waiting
from server.store import RunFolder
from shared_model.exchange import Payload

REFUSES = "this site's operator has not approved the run plan 77aa"


@dataclass
class Approving:
    """Sites whose operators approve one after the other: site n joins from the n-th question on."""

    known: tuple[str, ...] = ("1", "2", "3")
    asked: list[str] = field(default_factory=list)
    looks: int = 0

    def addresses(self) -> list[str]:
        self.looks += 1
        return list(self.known)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Waiting]:
        assert question == "join"
        self.asked += payloads
        for address in payloads:
            ready = self.looks >= int(address)
            yield address, Payload(fields={"site": address}) if ready else SiteFailure(REFUSES)


class Folder(RunFolder):
    """Keeps what is told; asked to stop after `stop` events."""

    def __init__(self, path: Path, stop: int = 100) -> None:
        super().__init__(path)
        self.events: list[dict[str, object]] = []
        self.stop = stop

    def event(self, what: str, **detail: object) -> None:
        self.events.append({"event": what, **detail})

    def stop_requested(self) -> bool:
        return len(self.events) >= self.stop


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "AGAIN_SECONDS", 0.01)


def test_it_asks_again_until_the_quorum_would_join_and_nobody_twice(tmp_path: Path) -> None:
    sites, folder = Approving(), Folder(tmp_path)
    wait_for_sites(sites, folder, quorum=3, silence=60.0)
    assert sites.asked == ["1", "2", "3", "2", "3", "3"]
    assert [event["refused"] for event in folder.events] == [{"2": REFUSES, "3": REFUSES}, {"3": REFUSES}]
    assert folder.events[0]["connected"] == 3


def test_a_quorum_is_enough(tmp_path: Path) -> None:
    sites = Approving()
    wait_for_sites(sites, Folder(tmp_path), quorum=1, silence=60.0)
    assert sites.asked == ["1", "2", "3"]


def test_without_a_limit_nobody_is_asked(tmp_path: Path) -> None:
    sites = Approving()
    wait_for_sites(sites, Folder(tmp_path), quorum=3, silence=0.0)
    assert sites.asked == []


def test_it_gives_up_when_the_time_is_over_and_leaves_the_rest_to_the_handshake(tmp_path: Path) -> None:
    clock = iter([0.0, 5.0, 11.0])
    sites = Approving(known=("9",))
    wait_for_sites(sites, Folder(tmp_path), quorum=1, silence=10.0, clock=lambda: next(clock))
    assert sites.asked == ["9", "9"]


def test_it_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    with pytest.raises(RunStopped):
        wait_for_sites(Approving(known=("9",)), Folder(tmp_path, stop=1), quorum=1, silence=60.0)


def test_a_site_that_left_is_asked_anew_when_it_is_back(tmp_path: Path) -> None:
    class Leaving(Approving):
        def addresses(self) -> list[str]:
            there = super().addresses()
            return ["1"] if self.looks == 1 else [] if self.looks == 2 else there

    sites = Leaving()
    wait_for_sites(sites, Folder(tmp_path), quorum=3, silence=60.0)
    assert sites.asked.count("1") == 2
