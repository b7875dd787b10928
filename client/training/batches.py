"""The batches of a round's steps: each follows from (seed, site, step) alone, whoever prepares it and when.

With a CUDA device the next step's are prepared in a thread and on their way while this one's are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client.data.dataset import SiteDataset
from client.training.augmentation import Augmentation
from client.training.sampling import modality_dropout, step_rows
from shared_model.config import TrainingConfig
from shared_model.losses import Batch
from shared_model.randomness import torch_generator

Part = tuple[Batch, dict[str, Tensor]]  # a batch and which modalities grading may read of it


def batches(
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    config: TrainingConfig,
    steps: Sequence[int],
    *,
    site: str,
    seed: int,
    device: str,
) -> Iterator[tuple[int, list[Part]]]:
    """Every step and its `config.accumulation` batches, on `device`."""

    def prepared(step: int) -> list[Part]:
        parts = _step(dataset, rows, config, step, site, seed)
        return [
            (batch.to(device), {name: here.to(device, non_blocking=True) for name, here in keep.items()})
            for batch, keep in parts
        ]

    if device == "cpu":  # a thread beside it would only take the processor from the step
        yield from ((step, prepared(step)) for step in steps)
        return
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(prepared, steps[0])
        for step in steps:
            parts = waiting.result()
            if step != steps[-1]:
                waiting = ahead.submit(prepared, step + 1)
            yield step, parts


def _step(
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    config: TrainingConfig,
    step: int,
    site: str,
    seed: int,
) -> list[Part]:
    chosen = step_rows(rows, config.batch_size * config.accumulation, step, seed, site)
    augmentation = Augmentation(config.augmentation, torch_generator(seed, site, "augmentation", step))
    parts = []
    for index, own in enumerate(np.split(chosen, config.accumulation)):
        batch = dataset.batch(own, augmentation)
        draw = step * config.accumulation + index
        parts.append((batch, modality_dropout(batch.present, config.modality_dropout, draw, seed, site)))
    return parts
