from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

import client.app
from shared_model.errors import DataError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import MESSAGE_TYPES, PROBLEM, from_records, to_records

PATIENT = "Maria da Silva, born 1950-02-03"


class FakeWorker:
    """Answers, or raises, what a test gives it."""

    def __init__(self, outcome: Payload | BaseException) -> None:
        self.outcome = outcome
        self.asked: list[str] = []

    def __getattr__(self, question: str) -> Any:
        def answer(request: Payload | None = None, *registered: Any) -> Payload:
            self.asked.append(question)
            if isinstance(self.outcome, BaseException):
                raise self.outcome
            return self.outcome

        return answer


class FakeRounds:
    """The secure rounds of a fake worker, which answers for them."""

    def __init__(self, worker: FakeWorker) -> None:
        self.answer = worker.secure_aggregation


@pytest.fixture(autouse=True)
def identity() -> None:
    """Flower asks which task a message is made in."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 2, 3


def ask(
    worker: FakeWorker, question: str, monkeypatch: pytest.MonkeyPatch, content: RecordDict | None = None
) -> Message:
    monkeypatch.setattr(client.app, "simulated_worker", lambda index: worker)
    secure = FakeRounds(worker) if question == "secure_aggregation" else None
    monkeypatch.setattr(client.app, "simulated_rounds", lambda worker: secure)
    content = to_records(Payload()) if content is None else content
    message = Message(content, dst_node_id=7, message_type=MESSAGE_TYPES[question])
    context = Context(run_id=1, node_id=7, node_config={"partition-id": 0}, state=RecordDict(), run_config={})
    return client.app.app(message, context)


@pytest.mark.parametrize("question", list(MESSAGE_TYPES))
def test_each_question_reaches_its_call_and_the_answer_comes_back(
    question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = FakeWorker(Payload({"w": np.ones(2, dtype=np.float32)}, {"x": 1}))
    found = from_records(ask(worker, question, monkeypatch).content)
    assert worker.asked == [question]
    assert found.fields == {"x": 1}
    assert found.arrays["w"].tolist() == [1, 1]


def everything(message: Message) -> str:
    return (
        repr(message.content)
        + repr(message.metadata.__dict__)
        + repr(message.error if message.has_error() else "")
    )


@pytest.mark.parametrize("question", list(MESSAGE_TYPES))
@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, RuntimeError, UnicodeError, MemoryError])
def test_what_a_failing_site_says_never_holds_the_patient(
    kind: type[Exception], question: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cause = kind(f"cannot read {PATIENT}")
    cause.__cause__ = ValueError(PATIENT)
    with caplog.at_level(logging.ERROR):
        reply = ask(FakeWorker(cause), question, monkeypatch)
    assert "Maria" not in everything(reply)
    assert not reply.has_error()
    assert from_records(reply.content).fields == {PROBLEM: f"error at the site ({kind.__name__})"}
    assert "Maria" in caplog.text  # the operator, at the site, may see it


def test_our_own_errors_send_their_first_sentence_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    error = DataError("A photograph is absent.", where=f"/data/{PATIENT}.jpg", fix=f"ask {PATIENT}")
    reply = ask(FakeWorker(error), "train", monkeypatch)
    assert "Maria" not in everything(reply)
    assert from_records(reply.content).fields == {PROBLEM: "A photograph is absent."}


def test_an_answer_that_cannot_be_sent_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = ask(FakeWorker(Payload(fields={"loss": float("nan")})), "train", monkeypatch)
    assert from_records(reply.content).fields == {PROBLEM: "error at the site (ValueError)"}
    reply = ask(FakeWorker(Payload(fields={"loss": {PATIENT}})), "train", monkeypatch)
    assert "Maria" not in everything(reply)


def test_a_question_that_is_not_ours_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = FakeWorker(Payload())
    reply = ask(worker, "train", monkeypatch, RecordDict())
    assert from_records(reply.content).fields == {PROBLEM: "error at the site (KeyError)"}
    assert worker.asked == []
