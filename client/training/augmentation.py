"""Random flips, small rotations and mild brightness and contrast jitter, as in the source paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from shared_model.config.schema import AugmentationConfig
from shared_model.randomness import torch_generator


class Augmentation:
    """`__call__`: photographs (B, 3, S, S) in [0, 1] to changed ones, every draw from `generator`."""

    def __init__(self, config: AugmentationConfig, generator: torch.Generator) -> None:
        self.config = config
        self.generator = generator

    def __call__(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) in [0, 1] to the same shape and range."""
        return _Change.drawn(len(image), self.config, self.generator).of(image)

    def choose(self, versions: int, photographs: int) -> list[int]:
        """One of so many versions for each photograph, by `generator`."""
        drawn: list[int] = torch.randint(versions, (photographs,), generator=self.generator).tolist()
        return drawn


class Augmentations:
    """Several, each of its own part of a batch: the first of the first `counts[0]` photographs, and so on."""

    def __init__(self, parts: Sequence[Augmentation], counts: Sequence[int]) -> None:
        self._parts = parts
        self._counts = counts

    def __call__(self, image: Tensor) -> Tensor:
        """As Augmentation's, each part changed as it would be by itself."""
        parts = zip(self._parts, torch.split(image, list(self._counts)), strict=True)
        return torch.cat([augmentation(own) for augmentation, own in parts])

    def choose(self, versions: int, photographs: int) -> list[int]:
        """As Augmentation's; photographs: of all parts together."""
        drawn = [part.choose(versions, count) for part, count in zip(self._parts, self._counts, strict=True)]
        return [version for own in drawn for version in own]


class DrawnAugmentations:
    """`count` versions of every photograph, drawn once: 0 is the photograph itself.

    The others follow from `seed`, the photograph's content and their number, so that a photograph has the same
    versions at every site and in every step, and what a frozen encoder makes of them can be kept.
    """

    def __init__(self, config: AugmentationConfig, count: int, seed: int) -> None:
        self.config = config
        self.count = count
        self.seed = seed

    def choose(self, photographs: int, augmentation: Augmentation | Augmentations | None) -> list[int]:
        """A version for each photograph of a step, by the step's generator; the photograph itself without one."""
        return [0] * photographs if augmentation is None else augmentation.choose(self.count, photographs)

    def __call__(self, image: Tensor, digests: Sequence[str], draws: Sequence[int]) -> Tensor:
        """Photographs (B, 3, S, S) in [0, 1] to these versions of them. digests: SHA-256 of their files.

        One by one, so that a version is the same to the last bit whatever else is in the batch.
        """
        found = [
            self._version(image[row : row + 1], digest, draw)
            for row, (digest, draw) in enumerate(zip(digests, draws, strict=True))
        ]
        return torch.cat(found) if found else image

    def _version(self, image: Tensor, digest: str, draw: int) -> Tensor:
        if draw == 0:
            return image
        generator = torch_generator(self.seed, "drawn-augmentation", digest, draw)
        return _Change.drawn(1, self.config, generator).of(image)


@dataclass(frozen=True)
class _Change:
    """What becomes of B photographs. theta: affine maps (B, 2, 3), None where none moves."""

    theta: Tensor | None
    brightness: Tensor
    contrast: Tensor

    @classmethod
    def drawn(cls, count: int, config: AugmentationConfig, generator: torch.Generator) -> _Change:
        def uniform(bound: float) -> Tensor:
            return (torch.rand(count, generator=generator) * 2 - 1) * bound

        theta = None
        if config.flips or config.rotation_degrees:
            angle, flips = uniform(math.radians(config.rotation_degrees)), torch.ones(count, 2)
            if config.flips:
                flips = torch.randint(0, 2, (count, 2), generator=generator) * 2.0 - 1.0
            theta = _affine(angle, flips)
        return cls(theta, uniform(config.brightness), uniform(config.contrast))

    def of(self, image: Tensor) -> Tensor:
        if self.theta is not None:
            grid = F.affine_grid(self.theta, list(image.shape), align_corners=False)
            image = F.grid_sample(image, grid, align_corners=False)
        brightness, contrast = self.brightness.view(-1, 1, 1, 1), self.contrast.view(-1, 1, 1, 1)
        mean = image.mean(dim=(1, 2, 3), keepdim=True)
        return ((image - mean) * (1 + contrast) + mean * (1 + brightness)).clamp(0.0, 1.0)


def _affine(angle: Tensor, flips: Tensor) -> Tensor:
    """Rotation by `angle` (B,) after flips (B, 2) of 1 or -1, as affine maps (B, 2, 3)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.zeros(len(angle), 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * flips[:, 0], -sin * flips[:, 0]
    theta[:, 1, 0], theta[:, 1, 1] = sin * flips[:, 1], cos * flips[:, 1]
    return theta
