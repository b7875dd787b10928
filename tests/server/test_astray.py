"""Messages that are lost on the way between the coordinator and a site's gateway, which answers one after the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from flwr.app import Error, Message
from flwr.common.constant import ErrorCode
from flwr.supercore.task_identity import TaskIdentity

from server import astray, grid_sites
from server.conversation import Conversation
from server.grid_sites import GridSites
from server.sites import Carried, SiteFailure, Waiting
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBE, to_records


class LosingGrid:
    """A SuperLink and gateways in one: hands each message out once, loses those at `loses`, the n-th of all pushed."""

    def __init__(self, loses: Iterable[int] = (), *, busy: int = 0, cut_off: Iterable[int] = ()) -> None:
        self.loses, self.cut_off, self.busy = set(loses), set(cut_off), busy
        self.pushed: list[Message] = []
        self.looks = 0

    def get_node_ids(self) -> list[int]:
        return [7]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        (message,) = messages
        self.pushed.append(message)
        message.metadata.__dict__["_message_id"] = f"m{len(self.pushed)}"
        return [message.metadata.message_id]

    def pull_messages(self, identities: Iterable[str]) -> list[Message]:
        self.looks += 1
        return [reply for identity in identities if (reply := self._reply(int(identity[1:]))) is not None]

    def _reply(self, number: int) -> Message | None:
        if self.looks < self.busy or number in self.loses:
            return None
        asked = self.pushed[number - 1]
        self.loses.add(number)  # it is handed out once
        if number in self.cut_off:
            return Message(Error(ErrorCode.MESSAGE_UNAVAILABLE, "half of it"), reply_to=asked)
        return Message(to_records(Payload(fields={"to": number})), reply_to=asked)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    monkeypatch.setattr(grid_sites, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(astray, "SECONDS", 0.0)


def asked(grid: LosingGrid, *, probing: bool = True) -> tuple[list[Payload | SiteFailure], list[str]]:
    """The answers, and the addresses that were asked again."""
    asking = GridSites(grid, probing=probing).ask("train", {"7": Payload()})  # type: ignore[arg-type]
    found = [arrival for arrival in asking if not isinstance(arrival, Carried)]
    again = [address for arrival in found if isinstance(arrival, Waiting) for address in arrival.again]
    return [arrival[1] for arrival in found if not isinstance(arrival, Waiting)], again


def kinds(grid: LosingGrid) -> list[str]:
    return [message.metadata.message_type for message in grid.pushed]


def test_a_question_that_was_lost_is_asked_again() -> None:
    answers, again = asked(grid := LosingGrid(loses=[1]))
    assert [a.fields["to"] for a in answers if isinstance(a, Payload)] == [kinds(grid).index("train", 1) + 1]
    assert again == ["7"]


def test_it_may_be_lost_many_times() -> None:
    _, again = asked(LosingGrid(loses=[1, 3, 5]))
    assert again == ["7", "7", "7"]


def test_a_question_that_went_out_three_times_counts_three_times_and_its_answer_once() -> None:
    request = Payload({"w": np.zeros(100, np.float32)}, {"round": 1})
    conversation = Conversation(GridSites(LosingGrid(loses=[1, 3]), probing=True), "train")  # type: ignore[arg-type]
    conversation.ask({"7": request})
    (answer,) = [arrival[1] for arrival in conversation if not isinstance(arrival, Waiting)]
    assert isinstance(answer, Payload)
    assert conversation.taken("7") == (answer.nbytes, 3 * request.nbytes)
    assert conversation.close() == {}


def test_a_site_that_is_only_busy_is_probed_once_and_not_asked_again() -> None:
    answers, again = asked(grid := LosingGrid(busy=50))
    assert len(answers) == 1
    assert again == []
    assert kinds(grid).count(PROBE) == 1


def test_an_answer_that_was_cut_off_is_asked_for_again() -> None:
    answers, again = asked(LosingGrid(cut_off=[1]))
    assert again == ["7"]
    assert isinstance(answers[0], Payload)


def test_where_sites_answer_in_any_order_nothing_is_probed() -> None:
    answers, again = asked(grid := LosingGrid(cut_off=[1]), probing=False)
    (answer,) = answers
    assert isinstance(answer, SiteFailure)
    assert "no longer at SuperLink" in answer.reason
    assert (kinds(grid), again) == (["train"], [])
