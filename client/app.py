"""The Flower ClientApp: carries each question to the site's worker and its answer back, and decides nothing.

What goes wrong inside the worker is logged at the site; the coordinator hears only our own errors' first sentence,
which never holds a patient's value, or the name of the exception. Flower would send the text verbatim.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.worker import Worker
from client.worker.simulated import simulated_worker
from shared_model.errors import ConfigError, FedFundusError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, from_records, to_records

log = logging.getLogger(__name__)
app = ClientApp()


@app.query("join")
def join(message: Message, context: Context) -> Message:
    """Who this site is, and what it would train."""
    return _answer(message, context, lambda worker, request: worker.join())


@app.query("statistics")
def statistics(message: Message, context: Context) -> Message:
    """Round 0."""
    return _answer(message, context, lambda worker, request: worker.statistics())


@app.train()
def train(message: Message, context: Context) -> Message:
    """Evaluate the incoming model, then train it."""
    return _answer(message, context, lambda worker, request: worker.train(request))


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the incoming model."""
    return _answer(message, context, lambda worker, request: worker.evaluate(request))


def _answer(message: Message, context: Context, question: Callable[[Worker, Payload], Payload]) -> Message:
    try:
        worker = simulated_worker(int(context.node_config["partition-id"]))
        content = to_records(question(worker, from_records(message.content)))
    except FedFundusError as error:
        log.error("the worker could not answer %s: %s", message.metadata.message_type, error)
        content = to_records(Payload(fields={PROBLEM: _told(error)}))
    except Exception as error:
        log.exception("the worker could not answer %s", message.metadata.message_type)
        content = to_records(Payload(fields={PROBLEM: f"error at the site ({type(error).__name__})"}))
    return Message(content, reply_to=message)


def _told(error: FedFundusError) -> str:
    """What the coordinator hears: of a configuration only that it does not fit, since its text quotes site.toml."""
    return "the site's configuration does not fit" if isinstance(error, ConfigError) else error.what
