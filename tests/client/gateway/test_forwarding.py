"""One of Flower's messages to a worker and back: whatever happens there, the coordinator hears one safe sentence."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from client.gateway import app as gateway_app
from client.gateway.forward import QUESTION_OF, forward
from client.gateway.worker_client import WorkerClient
from client.worker.service import Service
from shared_model.errors import ConfigError, DataError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, from_records, to_records
from shared_model.exchange.packed import opened, packed

PATIENT = "Maria da Silva, born 1950-02-03"


class Host:
    """Stands where the site's worker does: answers or raises what a test gives it."""

    def __init__(self) -> None:
        self.outcome: Payload | BaseException = Payload()
        self.asked: list[tuple[str, Payload]] = []

    def expected(self, question: str) -> int:
        return 1 << 20

    def answer(self, question: str, request: Payload) -> Payload:
        self.asked.append((question, request))
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def status(self) -> dict[str, Any]:
        raise ValueError(PATIENT)


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


@pytest.fixture(scope="module")
def worker(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    """The real service in front of `host`, at a real socket."""
    socket: Path = tmp_path_factory.mktemp("socket") / "worker.sock"
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Service(host).handlers(),))  # type: ignore[arg-type]
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    with WorkerClient(socket) as client:
        yield client
    server.stop(0).wait()


@pytest.fixture(autouse=True)
def identity() -> None:
    """Flower asks which task a message is made in."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3


def message(kind: str, content: RecordDict | None = None) -> Message:
    arrays = {"w": np.arange(3, dtype=np.float32)}
    return Message(
        to_records(packed(Payload(arrays, {"a": 1}))) if content is None else content,
        dst_node_id=7,
        message_type=kind,
    )


def everything(reply: Message) -> str:
    return repr(reply.content) + repr(reply.metadata.__dict__) + repr(reply.has_error())


@pytest.mark.parametrize("kind", sorted(QUESTION_OF))
def test_each_question_reaches_the_worker_and_its_answer_comes_back(
    kind: str, host: Host, worker: WorkerClient
) -> None:
    host.outcome = Payload({"v": np.ones(2, np.int8)}, {"x": None})
    found = opened(from_records(forward(message(kind), worker).content))
    question, request = host.asked[-1]
    assert question == QUESTION_OF[kind]
    assert (request.fields, request.arrays["w"].tolist()) == ({"a": 1}, [0, 1, 2])
    assert (found.fields, found.arrays["v"].tolist()) == ({"x": None}, [1, 1])


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, RuntimeError, MemoryError, UnicodeError])
def test_what_a_failing_worker_says_never_holds_the_patient(
    kind: type[Exception], host: Host, worker: WorkerClient
) -> None:
    host.outcome = kind(f"cannot read {PATIENT}")
    reply = forward(message("train"), worker)
    assert "Maria" not in everything(reply)
    assert from_records(reply.content).fields == {PROBLEM: f"error at the site ({kind.__name__})"}


def test_our_own_errors_cross_with_their_first_sentence_alone(host: Host, worker: WorkerClient) -> None:
    host.outcome = DataError("A photograph is absent.", where=f"/data/{PATIENT}.jpg", fix=f"ask {PATIENT}")
    assert from_records(forward(message("train"), worker).content).fields == {
        PROBLEM: "A photograph is absent."
    }
    host.outcome = ConfigError(f"data.folder does not fit: {PATIENT}", where="site.toml")
    told = from_records(forward(message("train"), worker).content).fields
    assert told == {PROBLEM: "the site's configuration does not fit"}


def test_a_sentence_without_end_is_cut(host: Host, worker: WorkerClient) -> None:
    host.outcome = DataError("é" * 100_000)
    assert from_records(forward(message("train"), worker).content).fields == {PROBLEM: "é" * 300}


@pytest.mark.parametrize("fields", [{"x": float("nan")}, {"x": object()}])
def test_an_answer_that_cannot_be_sent_is_an_error_of_its_call(
    fields: dict, host: Host, worker: WorkerClient
) -> None:
    host.outcome = Payload(fields=fields)
    assert "error at the site" in from_records(forward(message("train"), worker).content).fields[PROBLEM]
    host.outcome = Payload({"x": np.zeros(1)})
    assert "a tensor is float64" in str(from_records(forward(message("train"), worker).content).fields)


def test_a_status_that_fails_tells_no_more_than_an_answer(host: Host, worker: WorkerClient) -> None:
    with pytest.raises(Exception, match=r"error at the site \(ValueError\)") as told:
        worker.status()
    assert "Maria" not in str(told.value)


def test_what_is_not_asked_of_a_site_does_not_reach_the_worker(host: Host, worker: WorkerClient) -> None:
    before = len(host.asked)
    reply = forward(message("query.everything"), worker)
    assert from_records(reply.content).fields == {PROBLEM: "this is not asked of a site"}
    broken = RecordDict({"arrays": ConfigRecord({"x": 1})})
    assert (
        "error at the site" in from_records(forward(message("train", broken), worker).content).fields[PROBLEM]
    )
    assert len(host.asked) == before


def test_without_a_worker_the_coordinator_is_told_so(tmp_path: Path) -> None:
    with WorkerClient(tmp_path / "none.sock") as none:
        reply = forward(message("train"), none)
    assert from_records(reply.content).fields == {PROBLEM: "this site's worker cannot be reached"}
    assert str(tmp_path) not in everything(reply)


def test_the_installed_client_app_answers_every_question(
    host: Host, worker: WorkerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flwr.app import Context

    monkeypatch.setattr(gateway_app, "worker", lambda: worker)
    host.outcome = Payload(fields={"x": 1})
    context = Context(run_id=1, node_id=7, node_config={}, state=RecordDict(), run_config={})
    for kind in QUESTION_OF:
        assert from_records(gateway_app.app(message(kind), context).content).fields == {"x": 1}
