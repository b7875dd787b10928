"""The plain alternative to our round loop: stock Flower over Ray on the same sites, model and training steps.

As a competent person writes it after Flower's PyTorch example: FedAvg as it comes, the full state dict each way,
clients that read their data once a process and train by the very functions that ours call. What differs is the loop.
"""

from __future__ import annotations

import json
import logging
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.training.loop import train
from client.training.machine import machine_of
from client.training.validation import validate
from client.worker.simulated import IMAGES, SITES, TABLE
from shared_model.config import Config
from shared_model.losses import Objective
from shared_model.model import build_model, load_tokenizer
from shared_model.statistics import pool

SECONDS = "training-seconds"


def stock_rounds(config: Config, root: Path, sites: int) -> dict[str, float]:
    """Seconds of training and validation, and of the loop, over all rounds but the first. One client at a time.

    root: a prepared workspace. config: with at least two rounds, and its threads decided.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    marks: list[float] = []
    spent: list[float] = []
    cores = os.cpu_count() or 1
    backend: Any = {
        "client_resources": {"num_cpus": cores, "num_gpus": 0.0},
        "init_args": {"num_cpus": cores, "log_to_driver": False, "logging_level": logging.ERROR},
    }
    server = _server_app(config, sites, marks, spent)
    run_simulation(server, _client_app(config, str(root)), sites, backend_config=backend)
    loop, training = marks[-1] - marks[0], sum(spent) - sum(spent[:2])  # two phases a round
    return {"efficiency": training / loop, "loop_seconds": loop, "training_seconds": training}


def _client_app(config: Config, root: str) -> ClientApp:
    app = ClientApp()

    @app.train()
    def trained(message: Message, context: Context) -> Message:
        objective, dataset, name = _site(config.model_dump_json(), root, _place(context))
        objective.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
        rows, number = dataset.rows_of("train"), _number(message)
        started = time.perf_counter()
        train(
            objective,
            dataset,
            rows,
            config.training,
            site=name,
            seed=config.seed,
            first_step=(number - 1) * config.training.local_steps,
            learning_rate=config.training.learning_rate,
            machine=machine_of(config.runtime),
        )
        seconds = time.perf_counter() - started
        metrics = MetricRecord({"num-examples": len(rows), SECONDS: seconds})
        content = RecordDict({"arrays": ArrayRecord(objective.state_dict()), "metrics": metrics})
        return Message(content, reply_to=message)

    @app.evaluate()
    def evaluated(message: Message, context: Context) -> Message:
        objective, dataset, _ = _site(config.model_dump_json(), root, _place(context))
        objective.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
        rows = dataset.rows_of("validation")
        started = time.perf_counter()
        size = config.evaluation.batch_size
        found = validate(objective, dataset, rows, size, machine_of(config.runtime))
        seconds = time.perf_counter() - started
        loss = found.loss_sum / max(found.examples, 1)
        metrics = MetricRecord({"num-examples": len(rows), "loss": loss, SECONDS: seconds})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def _place(context: Context) -> int:
    return int(context.node_config["partition-id"])


def _number(message: Message) -> int:
    return int(str(message.content.config_records["config"]["server-round"]))


def _server_app(config: Config, sites: int, marks: list[float], spent: list[float]) -> ServerApp:
    """marks: when each round was over. spent: seconds inside training, then validation, of each."""
    app = ServerApp()

    def summed(contents: list[RecordDict], key: str) -> MetricRecord:
        spent.append(sum(float(str(content.metric_records["metrics"][SECONDS])) for content in contents))
        return MetricRecord({SECONDS: spent[-1]})

    def over(number: int, arrays: ArrayRecord) -> None:
        if number:
            marks.append(time.perf_counter())

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(
            min_available_nodes=sites,
            min_train_nodes=sites,
            min_evaluate_nodes=sites,
            train_metrics_aggr_fn=summed,
            evaluate_metrics_aggr_fn=summed,
        )
        initial = ArrayRecord(_objective(config).state_dict())
        rounds = config.federation.rounds
        strategy.start(grid=grid, initial_arrays=initial, num_rounds=rounds, evaluate_fn=over)

    return app


def _objective(config: Config) -> Objective:
    return Objective(build_model(config.model, seed=config.seed), config.losses)


@lru_cache(maxsize=8)
def _site(config: str, root: str, place: int) -> tuple[Objective, SiteDataset, str]:
    """Model, data and name of one site, read once a process."""
    asked = Config.model_validate_json(config)
    torch.set_num_threads(machine_of(asked.runtime).threads)
    folder = Path(root)
    name, patients = list(json.loads((folder / SITES).read_text(encoding="utf-8")).items())[place]
    table = pd.read_parquet(folder / TABLE)
    own = table[table["patient_id"].isin(set(patients))].reset_index(drop=True)
    images = ImageStore.open(folder / IMAGES)
    standardisation = pool([site_answer(own, images, Policy())])
    objective = _objective(asked)
    objective.balance(standardisation.to_dict()["class_counts"])
    return objective, SiteDataset(own, images, load_tokenizer(objective.model), standardisation), name
