"""The same job by stock Flower: FedAvg as it comes, the full state dict each way, its simulation over Ray."""

from __future__ import annotations

import logging
from typing import Any

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from simulations.bench.toy.job import Job, State, make_model, train_client


def run_ray(job: Job) -> State:
    """The averaged model after the last round."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    last: State = {}
    backend: Any = {
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        "init_args": {"log_to_driver": False},
    }
    run_simulation(server_app(job, last), client_app(job), job.clients, backend_config=backend)
    return last


def client_app(job: Job) -> ClientApp:
    """As in Flower's own PyTorch example."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        model = make_model(job)
        model.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
        number = int(str(message.content.config_records["config"]["server-round"]))
        samples = train_client(model, job, int(context.node_config["partition-id"]), number)
        content = RecordDict()
        content["arrays"] = ArrayRecord(model.state_dict())
        content["metrics"] = MetricRecord({"num-examples": samples})
        return Message(content, reply_to=message)

    return app


def server_app(job: Job, last: State) -> ServerApp:
    """As in Flower's own PyTorch example, without evaluation."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_train=1.0, fraction_evaluate=0.0, min_available_nodes=job.clients)
        initial = ArrayRecord(make_model(job).state_dict())
        result = strategy.start(grid=grid, initial_arrays=initial, num_rounds=job.rounds)
        last.update(result.arrays.to_torch_state_dict())

    return app
