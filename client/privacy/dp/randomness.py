"""Where the draws of private training come from: the operating system, or a seed in simulation.

What decides privacy must be known to nobody else, so no seed, key or number that the site received enters
`OperatingSystem`. `Seeded` makes a simulation repeatable; whoever knows the seed can subtract its noise, which is
why what it makes is marked as not private.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.randomness import derived_seed, torch_generator

_WORD = 2.0**64


class Randomness(ABC):
    """Independent draws: one number for each name, and Gaussian noise."""

    private: bool

    @abstractmethod
    def draws(self, purpose: str, step: int, names: Sequence[str]) -> NDArray[np.uint64]:
        """A uniform 64-bit number for each name (N,), independent of the others and of which others there are."""

    @abstractmethod
    def normal(self, step: int, part: int, count: int) -> Tensor:
        """`count` standard normal numbers, float64; part: which tensor of the step."""


class OperatingSystem(Randomness):
    """os.urandom for everything. Nothing can be passed to it, and no two calls give the same."""

    private = True

    def draws(self, purpose: str, step: int, names: Sequence[str]) -> NDArray[np.uint64]:
        """As Randomness.draws, fresh at every call."""
        return _words(len(names))

    def normal(self, step: int, part: int, count: int) -> Tensor:
        """As Randomness.normal, fresh at every call: Box and Muller (1958) on pairs of 64-bit uniform numbers.

        All 64 bits are used, so that values up to 9.4 standard deviations occur; what lies beyond has a probability
        of 1e-20.
        """
        half = (count + 1) // 2
        uniform = torch.from_numpy(_words(2 * half).astype(np.float64)).add_(0.5).mul_(1 / _WORD)
        radius = uniform[:half].log_().mul_(-2.0).sqrt_()
        angle = uniform[half:].mul_(2 * math.pi)
        return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)])[:count]


class Seeded(Randomness):
    """Everything follows from (seed, site): the same run twice gives the same weights. It protects nobody."""

    private = False

    def __init__(self, seed: int, site: str) -> None:
        self._seed = seed
        self._site = site

    def draws(self, purpose: str, step: int, names: Sequence[str]) -> NDArray[np.uint64]:
        """As Randomness.draws; a name has the same number whoever else is there."""
        own = [derived_seed(self._seed, self._site, "privacy", purpose, step, name) << 1 for name in names]
        return np.array(own, dtype=np.uint64)

    def normal(self, step: int, part: int, count: int) -> Tensor:
        """As Randomness.normal."""
        generator = torch_generator(self._seed, self._site, "privacy", "noise", step, part)
        return torch.randn(count, generator=generator, dtype=torch.float64)


def randomness_of(config: Config, site: str, *, simulation: bool = False) -> Randomness:
    """What a site draws from. Raises ConfigError for the seeded mode anywhere but in simulation."""
    if not config.privacy.seeded:
        return OperatingSystem()
    if not simulation:
        raise ConfigError(
            "noise from a seed that others know protects nobody, and this site has real patients",
            where="privacy.seeded",
            fix="set it to false; the seeded mode exists in simulation only",
        )
    return Seeded(config.seed, site)


def _words(count: int) -> NDArray[np.uint64]:
    return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)
