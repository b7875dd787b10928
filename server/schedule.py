"""The learning rate over rounds, and when to stop: decided by the coordinator from pooled validation losses.

`plateau` is the source paper's ReduceLROnPlateau (patience 5, factor 0.5), read across rounds instead of epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_model.config import TrainingConfig

RELATIVE_GAIN = 1e-4  # PyTorch's default threshold of ReduceLROnPlateau


def best_of(losses: Sequence[float | None]) -> int:
    """Which of these pooled validation losses, one a model, the kept best model has: the last that was a gain, or of
    models without figures the last.
    """
    best, found = math.inf, len(losses) - 1
    for number, loss in enumerate(losses):
        if loss is not None and loss < best * (1 - RELATIVE_GAIN):
            best, found = loss, number
    return found


@dataclass
class Schedule:
    """State of one run's schedule; `observe` each incoming model's pooled validation loss once."""

    config: TrainingConfig
    rounds: int
    best: float = math.inf
    since_best: int = 0
    since_reduction: int = 0
    factor: float = 1.0

    def learning_rate(self, number: int) -> float:
        """Learning rate of round `number` (1 is the first)."""
        base = self.config.learning_rate * self.factor
        warmup = self.config.warmup_rounds
        if number <= warmup:
            return base * number / (warmup + 1)
        if self.config.schedule == "cosine":
            progress = (number - 1 - warmup) / max(1, self.rounds - warmup)
            return base * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        return base

    def observe(self, loss: float | None) -> None:
        """Take in the pooled validation loss after a round; None (nothing labelled) changes nothing."""
        if loss is None:
            return
        if loss < self.best * (1 - RELATIVE_GAIN):
            self.best, self.since_best, self.since_reduction = loss, 0, 0
            return
        self.since_best += 1
        self.since_reduction += 1
        if self.config.schedule == "plateau" and self.since_reduction > self.config.plateau_patience:
            self.factor *= self.config.plateau_factor
            self.since_reduction = 0

    @property
    def finished(self) -> bool:
        """True once early stopping has run out of patience."""
        patience = self.config.early_stopping
        return patience > 0 and self.since_best >= patience

    def state(self) -> dict[str, Any]:
        """For the checkpoint; JSON has no infinity."""
        return {
            "best": None if math.isinf(self.best) else self.best,
            "since_best": self.since_best,
            "since_reduction": self.since_reduction,
            "factor": self.factor,
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """What `state` gave."""
        best = document["best"]
        self.best = math.inf if best is None else float(best)
        self.since_best, self.since_reduction = document["since_best"], document["since_reduction"]
        self.factor = float(document["factor"])
