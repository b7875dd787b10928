"""One of Flower's messages to the worker and its answer back: all that the gateway does with what it carries.

It reads nothing out of a message but its type, and of an answer nothing but keys that it is to sign for the site; it
decides nothing and keeps nothing. An answer is always an answer of ours, one that says why there is none included:
Flower would send an exception's text as it stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flwr.app import Message

from client.gateway.worker_client import WorkerClient, WorkerProblem
from shared_model.errors import FedFundusError
from shared_model.exchange.flower_records import MESSAGE_TYPES, PROBE, PROBLEM, from_records, to_records
from shared_model.exchange.packed import opened, packed
from shared_model.exchange.payload import Payload
from shared_model.run_plan import QUESTIONS, Question

log = logging.getLogger(__name__)

QUESTION_OF: dict[str, Question] = {
    MESSAGE_TYPES.get(question, f"query.{question}"): question for question in QUESTIONS
}


def forward(
    message: Message, worker: WorkerClient, signed: Callable[[Payload], Payload] = lambda answer: answer
) -> Message:
    """The reply to `message`. signed: puts this site's signature under its keys of a secure round."""
    kind = message.metadata.message_type
    try:
        if kind == PROBE:
            return Message(to_records(Payload()), reply_to=message)
        if kind not in QUESTION_OF:
            return _problem(message, "this is not asked of a site")
        answer = signed(worker.ask(QUESTION_OF[kind], opened(from_records(message.content))))
        return Message(to_records(packed(answer)), reply_to=message)
    except WorkerProblem as error:
        log.warning("%s: the worker says: %s", kind, error.what)
        return _problem(message, error.what)
    except FedFundusError as error:
        log.error("%s: %s", kind, error)
        return _problem(message, error.what)
    except Exception as error:
        log.exception("%s could not be carried", kind)
        return _problem(message, f"error at the site ({type(error).__name__})")


def _problem(message: Message, what: str) -> Message:
    return Message(to_records(Payload(fields={PROBLEM: what})), reply_to=message)
