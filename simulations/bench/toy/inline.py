"""The same job as a ServerApp and a ClientApp, run by our inline engine.

Arrays travel through shared_model.held_array as in our own apps, and the server adds each reply as it comes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from shared_model.held_array import record_in, record_of
from simulations.bench.toy.job import Job, State, make_model, train_client
from simulations.engines.grid import run_apps


def run_inline(job: Job) -> State:
    """The averaged model after the last round."""
    last: State = {}
    run_apps(server_app(job, last), client_app(job), job.clients)
    return last


def client_app(job: Job, copied: Callable[[NDArray[Any]], NDArray[Any]] = np.copy) -> ClientApp:
    """Trains a copy of what it is sent, in place, and hands that copy on: one copy a client, as in the plain loop."""
    app, model = ClientApp(), make_model(job)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        received = record_in(message.content, "model")
        trained = {name: copied(array.numpy()) for name, array in received.items()}
        model.load_state_dict({name: torch.from_numpy(array) for name, array in trained.items()}, assign=True)
        number = int(message.metadata.group_id)
        samples = train_client(model, job, int(context.node_config["partition-id"]), number)
        model.to("meta")  # lets go of the copy, which belongs to the server now
        content = RecordDict()
        content["model"], content["of"] = record_of(trained), record_of({"samples": np.array(samples)})
        return Message(content, reply_to=message)

    return app


def server_app(job: Job, last: State) -> ServerApp:
    """Averages what comes back, weighted by samples; leaves the last model in `last`."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        current = {name: tensor.numpy().copy() for name, tensor in make_model(job).state_dict().items()}
        for number in range(1, job.rounds + 1):
            total = {name: torch.zeros(array.shape) for name, array in current.items()}
            content = RecordDict({"model": record_of(current)})
            round_name = str(number)
            messages = [Message(content, node, "train", group_id=round_name) for node in grid.get_node_ids()]
            waiting = list(grid.push_messages(messages))
            weight = 0
            while waiting:
                for reply in grid.pull_messages(waiting):
                    waiting.remove(reply.metadata.reply_to_message_id)
                    samples = int(record_in(reply.content, "of")["samples"].numpy())
                    for name, array in record_in(reply.content, "model").items():
                        total[name].add_(_tensor(array.numpy()), alpha=samples)
                    weight += samples
            current = {name: tensor.div_(weight).numpy() for name, tensor in total.items()}
        last.update({name: torch.from_numpy(array) for name, array in current.items()})

    return app


def _tensor(array: NDArray[np.float32]) -> torch.Tensor:
    """The array as a tensor of the same memory, to be read only, as PyTorch would otherwise warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)
