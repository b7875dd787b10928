"""Symmetric InfoNCE between two modalities (Oord et al. 2018; Radford et al. 2021).

It couples the samples of a batch: never use it with per-sample clipping, whose bound it breaks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(a: Tensor, b: Tensor, temperature: float, group: Tensor | None = None) -> Tensor:
    """Mean of both directions' cross-entropies. a, b: (B, width) of the same B samples, B >= 2.

    group: (B,) label-equivalence ids; the target of a sample is then spread evenly over its group, so that two
    photographs with one and the same note are not pushed apart. None is the paper's identity target.
    """
    logits = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature  # (B, B)
    if group is None:
        target = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    same = (group.unsqueeze(0) == group.unsqueeze(1)).to(logits.dtype)
    soft = same / same.sum(dim=1, keepdim=True)  # symmetric: rows and columns of one group are alike
    return (F.cross_entropy(logits, soft) + F.cross_entropy(logits.T, soft)) / 2
