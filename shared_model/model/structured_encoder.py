"""Structured-data encoder: six standardised values become one token beside a learned CLS token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shared_model.config.schema import StructuredEncoderConfig
from shared_model.records import STRUCTURED


class StructuredEncoder(nn.Module):
    """`forward`: values (B, 6) in the order of records.STRUCTURED to tokens (B, 2, width), CLS first."""

    def __init__(self, config: StructuredEncoderConfig, width: int) -> None:
        super().__init__()
        sizes = [len(STRUCTURED), *config.hidden, width]
        layers: list[nn.Module] = []
        for inner, outer in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inner, outer), nn.GELU()]
        self.mlp = nn.Sequential(*layers[:-1])
        self.cls = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, values: Tensor) -> Tensor:
        """(B, 6) to (B, 2, width)."""
        token = self.mlp(values)  # (B, width)
        return torch.stack([self.cls.expand_as(token), token], dim=1)
