"""Random flips, small rotations and mild brightness and contrast jitter, as in the source paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from shared_model.config.schema import AugmentationConfig


class Augmentation:
    """`__call__`: photographs (B, 3, S, S) in [0, 1] to changed ones, every draw from `generator`."""

    def __init__(self, config: AugmentationConfig, generator: torch.Generator) -> None:
        self.config = config
        self.generator = generator

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to the same shape and range."""
        config = self.config
        if config.flips or config.rotation_degrees:
            image = F.grid_sample(image, self._grid(image), align_corners=False)
        brightness = self._uniform(len(image), config.brightness).view(-1, 1, 1, 1)
        contrast = self._uniform(len(image), config.contrast).view(-1, 1, 1, 1)
        mean = image.mean(dim=(1, 2, 3), keepdim=True)
        return ((image - mean) * (1 + contrast) + mean * (1 + brightness)).clamp(0.0, 1.0)

    def _grid(self, image: Tensor) -> Tensor:
        count = len(image)
        angle = self._uniform(count, math.radians(self.config.rotation_degrees))
        flips = torch.ones(count, 2)
        if self.config.flips:
            flips = torch.randint(0, 2, (count, 2), generator=self.generator) * 2.0 - 1.0
        cos, sin = torch.cos(angle), torch.sin(angle)
        theta = torch.zeros(count, 2, 3)
        theta[:, 0, 0], theta[:, 0, 1] = cos * flips[:, 0], -sin * flips[:, 0]
        theta[:, 1, 0], theta[:, 1, 1] = sin * flips[:, 1], cos * flips[:, 1]
        return F.affine_grid(theta, list(image.shape), align_corners=False)

    def _uniform(self, count: int, bound: float) -> Tensor:
        return (torch.rand(count, generator=self.generator) * 2 - 1) * bound
