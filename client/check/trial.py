"""A few real training steps of a preset on noise, in a process of its own: what `check` extrapolates from.

Run as `python -m client.check.trial PRESET THREADS`; prints one line of JSON. A process of its own, so that
its peak memory is the model's and nothing else's, and so that a machine too small for it loses this process only.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch

from client.training.optimizer import make_optimizer
from shared_model.config import Config, load_config
from shared_model.losses import Batch, Objective
from shared_model.memory import peak_bytes
from shared_model.model import TextBatch, build_model
from shared_model.records import GRADES, MODALITIES, STRUCTURED, TASKS

MOST_STEPS = 3
ENOUGH_SECONDS = 20.0  # no further step is begun after so much timing


def trial(config: Config, threads: int) -> dict[str, float]:
    """Seconds of a training step (the median, after one that warms up) and of grading one photograph; bytes."""
    torch.set_num_threads(threads)
    objective = Objective(build_model(config.model, pretrained=False), config.losses)
    optimizer = make_optimizer(objective, config.training, config.training.learning_rate)
    batch = noise(config, config.training.batch_size)
    _step(objective, optimizer, batch)
    seconds: list[float] = []
    while not seconds or (len(seconds) < MOST_STEPS and sum(seconds) < ENOUGH_SECONDS):
        seconds.append(_step(objective, optimizer, batch))
    return {
        "steps": len(seconds),
        "step_seconds": float(np.median(seconds)),
        "grading_seconds": _grade(objective, batch) / config.training.batch_size,
        "peak_bytes": float(peak_bytes()),
    }


def noise(config: Config, size: int) -> Batch:
    """A batch of noise in which nothing that the model reads is missing, notes as long as the encoder reads."""
    generator = torch.Generator().manual_seed(0)
    side, length = config.model.image.size, config.model.text.maximum_tokens
    vocabulary = config.model.text.vocabulary or 1000
    ids = torch.randint(1, vocabulary, (size, length), generator=generator)
    note = TextBatch(ids, torch.ones_like(ids))
    return Batch(
        image=torch.randn(size, 3, side, side, generator=generator),
        note=note,
        masked_note=note,
        note_group=torch.arange(size),
        structured=torch.randn(size, len(STRUCTURED), generator=generator),
        present={name: torch.full((size,), name in config.model.inputs) for name in MODALITIES},
        labels={task: torch.randint(0, GRADES, (size,), generator=generator) for task in TASKS},
    )


def _step(objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    objective.train()
    started = time.perf_counter()
    loss, _ = objective(batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return time.perf_counter() - started


@torch.no_grad()
def _grade(objective: Objective, batch: Batch) -> float:
    objective.eval()
    model = objective.model
    started = time.perf_counter()
    embedded = {
        "image": model.embed_image(batch.image),
        "text": model.embed_text(batch.masked_note),
        "structured": model.embed_structured(batch.structured),
    }
    model.grade(model.fuse(embedded, batch.present))
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(trial(load_config(sys.argv[1]), int(sys.argv[2]))))
