"""Cross-entropy over grades, with samples whose label is missing left out of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

MISSING = -1


def grading_loss(
    logits: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    class_weights: Mapping[str, Tensor] | None = None,
    label_smoothing: float = 0.0,
) -> Tensor | None:
    """Mean over tasks of the cross-entropy over labelled samples; None where the batch has no label at all.

    logits: task to (B, 5); labels: task to (B,), -1 where missing; class_weights: task to (5,).
    """
    losses = []
    for task, scores in logits.items():
        known = labels[task] != MISSING
        if bool(known.any()):
            weight = class_weights[task] if class_weights is not None else None
            losses.append(
                F.cross_entropy(scores[known], labels[task][known], weight, label_smoothing=label_smoothing)
            )
    return torch.stack(losses).mean() if losses else None
