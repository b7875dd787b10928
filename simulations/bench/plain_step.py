"""The plain alternative to a training step: the stock PyTorch loop, as short as a competent person writes it.

Frozen blocks have `requires_grad=False` and run with the rest, notes are padded to the model's length, fusion is
nn.TransformerEncoder, the optimiser is torch.optim.AdamW as it comes, and everything is fp32.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional as F

from shared_model.config import TrainingConfig
from shared_model.losses import Batch, Objective
from shared_model.model import TextBatch


class PlainLoop:
    """One model and its optimiser; `step` trains on a batch and gives its loss."""

    def __init__(self, objective: Objective, config: TrainingConfig) -> None:
        self.objective = objective.train()
        self.length = objective.model.config.text.maximum_tokens
        self.trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.gradient_norm = config.gradient_norm

    def step(self, batch: Batch) -> float:
        """The loss before the step."""
        self.objective.model.run_plainly(True)
        batch = replace(
            batch, note=padded(batch.note, self.length), masked_note=padded(batch.masked_note, self.length)
        )
        loss, _ = self.objective(replace(batch, image_trunk=None))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, self.gradient_norm)
        self.optimizer.step()
        self.objective.model.run_plainly(False)
        return float(loss.detach())


def padded(note: TextBatch, length: int) -> TextBatch:
    """Notes (B, L) as (B, length)."""
    more = length - note.ids.shape[1]
    return TextBatch(F.pad(note.ids, (0, more)), F.pad(note.mask, (0, more)))
