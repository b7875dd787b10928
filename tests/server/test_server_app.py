from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from server import grid_sites
from server.app import make_app
from server.conversation import Conversation
from server.errors import CoordinatorError
from server.grid_sites import GridSites
from server.sites import Carried, SiteFailure, Waiting
from shared_model.errors import RunError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, from_records, to_records


class SlowGrid:
    """A Grid to which replies come one after the other, the last asked first, with nothing at every other look."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = answers
        self.waiting: dict[str, Message] = {}
        self.given: set[str] = set()
        self.looks = 0

    def get_node_ids(self) -> Iterable[int]:
        return list(self.answers)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        identities = []
        for message in messages:
            identity = f"m{len(self.waiting)}"
            message.metadata.__dict__["_message_id"] = identity
            self.waiting[identity] = message
            identities.append(identity)
        return identities

    def pull_messages(self, identities: Iterable[str]) -> list[Message]:
        self.looks += 1
        if self.looks % 2:
            return []
        unanswered = [identity for identity in self.waiting if identity not in self.given]
        if not unanswered or unanswered[-1] not in identities:
            return []
        self.given.add(unanswered[-1])
        asked = self.waiting[unanswered[-1]]
        answer = self.answers[asked.metadata.dst_node_id]
        return [Message(answer, reply_to=asked)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    monkeypatch.setattr(grid_sites, "FIRST_PAUSE", 0.0)


def answers_to(grid: SlowGrid) -> dict[str, Payload | SiteFailure]:
    sites = GridSites(grid)
    arrivals = sites.ask("train", {address: Payload() for address in sites.addresses()})
    return dict(arrival for arrival in arrivals if isinstance(arrival, tuple))


def test_replies_are_handed_on_under_their_address_as_they_arrive() -> None:
    grid = SlowGrid({n: to_records(Payload(fields={"node": n})) for n in (30, 9, 200)})
    assert GridSites(grid).addresses() == ["9", "30", "200"]
    found = answers_to(grid)
    assert list(found) == ["200", "30", "9"]
    assert {address: answer.fields["node"] for address, answer in found.items()} == {
        "9": 9,
        "30": 30,
        "200": 200,
    }


def test_answers_that_have_all_arrived_are_taken_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the coordinator would hold as many updates in memory as there are sites."""
    monkeypatch.setattr(grid_sites, "FEW_BYTES", -1)  # no question is so small

    class FullGrid(SlowGrid):
        def pull_messages(self, identities: Iterable[str]) -> list[Message]:
            asked = [self.waiting[identity] for identity in identities]
            assert len(asked) == 1
            return [Message(self.answers[one.metadata.dst_node_id], reply_to=one) for one in asked]

    found = answers_to(FullGrid({n: to_records(Payload(fields={"node": n})) for n in (30, 9, 200)}))
    assert set(found) == {"9", "30", "200"}


def test_messages_of_the_same_arrays_share_their_bytes() -> None:
    grid = SlowGrid(dict.fromkeys((9, 30, 200), to_records(Payload())))
    arrays = {"a": np.ones(3, dtype=np.float32)}
    payloads = {str(n): Payload(arrays, {"taken": n}) for n in (9, 30)} | {"200": Payload({**arrays})}
    list(GridSites(grid).ask("train", payloads))
    sent = {m.metadata.dst_node_id: m.content for m in grid.waiting.values()}
    data = {node: content.array_records["arrays"]["a"].data for node, content in sent.items()}
    assert data[9] is data[30]
    assert data[200] is not data[9]
    assert data[200] == data[9]
    assert from_records(sent[9]).fields == {"taken": 9}
    assert from_records(sent[30]).fields == {"taken": 30}


def foreign(stype: str = "numpy.ndarray", data: bytes = b"x", text: str = "{}") -> RecordDict:
    return RecordDict(
        {
            "arrays": ArrayRecord({"a": Array("float32", (1,), stype, data)}),
            "fields": ConfigRecord({"json": text}),
        }
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Error(code=3, reason="Traceback: /data/Maria Silva.jpg"), "Flower error 3"),
        (Error(code=5, reason="Maria Silva"), "its gateway was stopped, or gave no sign of life"),
        (Error(code=77, reason="Maria Silva"), "this release does not know"),
        (to_records(Payload(fields={PROBLEM: "training diverged"})), "training diverged"),
        (RecordDict(), "not ours"),
        (foreign(), "not ours"),
        (foreign(stype="pickle"), "not ours"),
        (foreign(data=b""), "not ours"),  # EOFError
        (foreign(data=b"PK\x03\x04"), "not ours"),  # BadZipFile
        (foreign(text="["), "not ours"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_failure_of_its_site_alone(answer: Any, reason: str) -> None:
    good = to_records(Payload({"w": np.zeros(1, dtype=np.float32)}, {"x": 1}))
    found = answers_to(SlowGrid({1: answer, 2: good}))
    assert isinstance(found["1"], SiteFailure)
    assert reason in found["1"].reason
    assert "Maria" not in found["1"].reason
    assert found["2"].fields == {"x": 1}


def test_a_run_without_its_configuration_is_refused(tmp_path: Path) -> None:
    context = Context(
        run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={"run-folder": str(tmp_path)}
    )
    with pytest.raises(RunError, match=r"no configuration[\s\S]*fedfundus-simulate"):
        make_app()(SlowGrid({}), context)


class LateGrid(SlowGrid):
    """Node 1 answers its first message only when node 2 has been asked twice; node 3 has left."""

    def __init__(self) -> None:
        super().__init__({})
        self.pushed: list[int] = []

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        (message,) = messages
        self.pushed.append(message.metadata.dst_node_id)
        if message.metadata.dst_node_id == 3:
            return [None]  # type: ignore[list-item]
        identity = f"m{len(self.pushed)}"
        message.metadata.__dict__["_message_id"] = identity
        self.waiting[identity] = message
        return [identity]

    def pull_messages(self, identities: Iterable[str]) -> list[Message]:
        given = set(identities) & self.waiting.keys()
        ready = [
            i for i in sorted(given) if self.waiting[i].metadata.dst_node_id == 2 or self.pushed.count(2) > 1
        ]
        if not ready:
            return []
        asked = self.waiting.pop(ready[0])
        return [Message(to_records(Payload(fields={"to": ready[0]})), reply_to=asked)]


def test_an_answer_to_a_question_that_was_given_up_is_dropped_and_said() -> None:
    grid = LateGrid()
    sites = GridSites(grid, moved=lambda: 17)
    first = (a for a in sites.ask("train", {"1": Payload(), "2": Payload()}) if not isinstance(a, Carried))
    address, answer = next(first)  # type: ignore[misc]
    assert (address, answer.fields) == ("2", {"to": "m2"})
    assert next(first) == Waiting(17)
    first.close()
    found = list(sites.ask("train", {"1": Payload(), "2": Payload()}))
    late = [arrival.late for arrival in found if isinstance(arrival, Waiting) and arrival.late]
    assert late == [("1",)]
    answers = {a[0]: a[1].fields["to"] for a in found if isinstance(a, tuple)}
    assert answers == {"1": "m3", "2": "m4"}  # of this question, not of the one before


def test_an_answer_that_came_too_late_counts_where_it_is_dropped() -> None:
    sites, request = GridSites(LateGrid()), Payload({"w": np.zeros(9, np.float32)})
    first = Conversation(sites, "train")
    first.ask({"1": request, "2": request})
    assert next(iter(first))[0] == "2"  # type: ignore[index]
    assert first.taken("2") == (len('{"to":"m2"}'), request.nbytes)
    assert first.close() == {"1": (0, request.nbytes)}  # it was sent, and never answered
    second = Conversation(sites, "train")
    second.ask({"2": request})
    answers = [arrival for arrival in second if not isinstance(arrival, Waiting)]
    assert [address for address, _ in answers] == ["2"]
    assert second.taken("2") == (len('{"to":"m3"}'), request.nbytes)
    assert second.close() == {"1": (len('{"to":"m1"}'), 0)}


@pytest.mark.parametrize(
    ("answer", "least"),
    [(foreign(data=b"x" * 500), 500), (foreign(text="[" * 500), 500), (RecordDict(), 0), (Error(code=3), 0)],
)
def test_an_answer_of_no_use_counts_as_what_it_took(answer: Any, least: int) -> None:
    conversation = Conversation(GridSites(SlowGrid({1: answer})), "train")
    conversation.ask({"1": Payload()})
    (arrival,) = [a for a in conversation if not isinstance(a, Waiting)]
    assert isinstance(arrival[1], SiteFailure)
    up, down = conversation.taken("1")
    assert (least <= up <= least + 10, down) == (True, Payload().nbytes)


def test_what_could_not_be_sent_counts_nothing() -> None:
    conversation = Conversation(GridSites(LateGrid()), "train")
    conversation.ask({"3": Payload({"w": np.zeros(9, np.float32)})})
    assert list(conversation) == [("3", SiteFailure("is not connected"))]
    assert conversation.taken("3") == (0, 0)


def test_a_carrier_that_tells_nothing_has_each_message_counted_once() -> None:
    class Silent:
        def ask(self, question: str, payloads: Any) -> Any:
            return iter([("1", Payload({"w": np.zeros(4, np.uint8)}))])

    conversation = Conversation(Silent(), "train")  # type: ignore[arg-type]
    conversation.ask({"1": Payload(), "2": Payload(fields={"a": 1})})
    assert len(list(conversation)) == 1
    assert conversation.close() == {"1": (4 + 2, 2), "2": (0, len('{"a":1}'))}


def test_a_node_that_has_left_is_a_site_that_does_not_answer() -> None:
    found = list(GridSites(LateGrid()).ask("train", {"3": Payload()}))
    assert found == [Carried("3"), ("3", SiteFailure("is not connected"))]


def test_a_superlink_that_is_gone_is_one_numbered_message() -> None:
    class Gone(SlowGrid):
        def get_node_ids(self) -> Iterable[int]:
            raise httpx.ConnectError("10.0.0.1 refused")

    with pytest.raises(
        CoordinatorError, match=r"^C401 the SuperLink does not answer \(ConnectError\)"
    ) as error:
        GridSites(Gone({})).addresses()
    assert "10.0.0.1" not in str(error.value)
