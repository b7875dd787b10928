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
from client.worker.simulated import simulated_rounds, simulated_worker
from shared_model.errors import ConfigError, FedFundusError, RunError
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
    return _answer(message, context, lambda worker, request: _masked("train", worker, request, worker.train))


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the incoming model."""
    return _answer(
        message, context, lambda worker, request: _masked("evaluate", worker, request, worker.evaluate)
    )


@app.query("secure_aggregation")
def secure_aggregation(message: Message, context: Context) -> Message:
    """One step of a secure round."""
    return _answer(message, context, _secure_step)


@app.query("temperature")
def temperature(message: Message, context: Context) -> Message:
    """Losses of the finished model at a grid of temperatures."""
    return _answer(message, context, lambda worker, request: worker.temperature(request))


@app.query("scores")
def scores(message: Message, context: Context) -> Message:
    """Histograms of the finished model's scores."""
    return _answer(message, context, lambda worker, request: worker.scores(request))


@app.query("site_figures")
def site_figures(message: Message, context: Context) -> Message:
    """Figures of the finished model on the test patients."""
    return _answer(message, context, lambda worker, request: worker.site_figures(request))


def _masked(question: str, worker: Worker, request: Payload, answer: Callable[[Payload], Payload]) -> Payload:
    """The answer as it leaves: masked, where the run asks for secure aggregation."""
    secure = simulated_rounds(worker)
    if secure is None:
        return answer(request)
    return secure.rounds.masked(question, request, lambda: answer(request), lambda: worker.base(request))


def _secure_step(worker: Worker, request: Payload) -> Payload:
    secure = simulated_rounds(worker)
    if secure is None:
        raise RunError("this run has no secure aggregation", fix="set secure_aggregation.enabled")
    return secure.answer(request, worker.examples, worker.tells, worker.trains)


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
