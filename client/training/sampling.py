"""Which records a step sees, and which modalities it hides: functions of (seed, site, step) alone, so that a
resumed or repeated round draws what it would have drawn.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_model.randomness import numpy_generator, torch_generator
from shared_model.records import MODALITIES


def step_rows(rows: NDArray[np.int64], batch_size: int, step: int, seed: int, site: str) -> NDArray[np.int64]:
    """The records of one step: consecutive slices of an endless chain of shuffled passes over `rows`."""
    first = step * batch_size
    chosen: list[NDArray[np.int64]] = []
    wanted = batch_size
    while wanted:
        epoch, offset = divmod(first, len(rows))
        order = numpy_generator(seed, site, "order", epoch).permutation(len(rows))
        part = rows[order[offset : offset + wanted]]
        chosen.append(part)
        first += len(part)
        wanted -= len(part)
    return np.concatenate(chosen)


def modality_dropout(
    present: dict[str, Tensor], probability: float, step: int, seed: int, site: str
) -> dict[str, Tensor]:
    """Which modalities grading may read, (B,) bool each: dropped independently, at least one present one kept."""
    return kept_modalities(present, modality_draws(len(present["image"]), step, seed, site), probability)


def modality_draws(records: int, step: int, seed: int, site: str) -> Tensor:
    """What decides over each modality of each record, (3, records) uniform in [0, 1)."""
    generator = torch_generator(seed, site, "modality-dropout", step)
    return torch.rand(len(MODALITIES), records, generator=generator)


def kept_modalities(present: dict[str, Tensor], draw: Tensor, probability: float) -> dict[str, Tensor]:
    """`modality_dropout` by these draws (3, B)."""
    here = torch.stack([present[name] for name in MODALITIES])  # (3, B)
    keep = draw >= probability
    none_left = ~(keep & here).any(dim=0)
    last = torch.where(here, draw, -1.0).argmax(dim=0)  # the present modality with the largest draw
    keep[last, torch.arange(draw.shape[1])] |= none_left
    return {name: keep[index] for index, name in enumerate(MODALITIES)}
