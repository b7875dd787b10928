"""Table VI, measured here: parameters, memory and time a sample, each model in a process of its own.

Run as `python -m simulations.tables.efficiency CONFIG.toml`; prints one line of JSON. What is timed is what grading a
record takes: every encoder that the model has, fusion and both heads, on noise of the configured size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from client.check.trial import noise
from client.training.machine import machine_of
from client.training.optimizer import make_optimizer
from shared_model.artefact import count_parameters
from shared_model.config import Config, to_toml
from shared_model.config.load import from_toml
from shared_model.errors import RunError
from shared_model.losses import Batch, Objective
from shared_model.memory import peak_bytes
from shared_model.model import FusionModel, build_model

BATCHES = (1, 8)
MOST, ENOUGH_SECONDS = 30, 10.0  # timings of a batch size, and what they may take
PAPER: Mapping[str, str] = {"full": "187 M, 6.5 GB, 41 ms (P100)"}


@dataclass(frozen=True)
class Efficiency:
    """parameters: by kind. *_bytes: peak resident memory of the process. seconds: batch -> of one sample."""

    parameters: dict[str, int]
    grading_bytes: int
    training_bytes: int
    seconds: dict[str, float]
    threads: int


def measure(config: Config) -> Efficiency:
    """In this process, whose peak memory should be nobody else's: call it through `measured`."""
    threads = machine_of(config.runtime).threads
    torch.set_num_threads(threads)
    objective = Objective(build_model(config.model, pretrained=False), config.losses)
    objective.eval()
    seconds = {str(size): _seconds_a_sample(objective.model, noise(config, size)) for size in BATCHES}
    grading = peak_bytes()
    objective.train()
    optimizer = make_optimizer(objective, config.training, config.training.learning_rate)
    loss, _ = objective(noise(config, max(BATCHES)))
    loss.backward()
    optimizer.step()
    counts = count_parameters(objective)
    return Efficiency(counts, grading, peak_bytes(), seconds, threads)


def measured(config: Config) -> Efficiency:
    """`measure` in a fresh process. RunError where that one dies."""
    with tempfile.TemporaryDirectory(prefix="fedfundus-") as folder:
        path = Path(folder) / "config.toml"
        path.write_text(to_toml(config), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    if done.returncode:
        raise RunError(
            "the process that measures a model's memory and speed ended early, most likely for lack of memory",
            where=f"variant {config.variant}",
            fix="leave out table 6, or use a smaller preset",
        )
    return Efficiency(**json.loads(done.stdout.splitlines()[-1]))


@torch.inference_mode()
def _seconds_a_sample(model: FusionModel, batch: Batch) -> float:
    """Median over repeats, after one that warms up."""
    _grade(model, batch)
    taken: list[float] = []
    while not taken or (len(taken) < MOST and sum(taken) < ENOUGH_SECONDS):
        started = time.perf_counter()
        _grade(model, batch)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken)) / len(batch.image)


def _grade(model: FusionModel, batch: Batch) -> None:
    embedded = {
        "image": model.embed_image(batch.image, batch.image_trunk),
        "text": model.embed_text(batch.masked_note),
        "structured": model.embed_structured(batch.structured),
    }
    model.grade(model.fuse(embedded, batch.present))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(from_toml(Path(sys.argv[1]))))))
