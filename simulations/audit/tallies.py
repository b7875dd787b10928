"""Scores of planted patients that grow with every round: larger speaks for "in".

Two ways, for two kinds of view. Without noise, a canary is known by coordinates that hardly anybody else moves, such as
those of a rare word. Under differential privacy every canary is clipped and hidden in noise on all coordinates; there
the coins are estimated together, by least squares, since what canaries have in common tells none of them apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.privacy.dp.plan import Plan
from shared_model.exchange import parameter_kinds
from shared_model.exchange.parameters import Arrays
from simulations.audit.attacker import Attacker
from simulations.audit.overheard import first_moments, given
from simulations.audit.witness import Round

Floats = NDArray[np.float64]
COLUMNS = 50_000  # of the gradients at a time
SCALE = 1e3  # keeps unit gradients within what half precision holds
SHARE = 2  # exponent: the higher, the less is heard of coordinates that many move
LEAST_RIDGE = 1e-3  # of what one clipped canary is: how far gradients are from those that the site computes


@dataclass
class Tally(ABC):
    """What every tally has. canaries: records of one photograph each; on_round: hears every round."""

    attacker: Attacker
    canaries: pd.DataFrame
    images: ImageStore
    site: str
    on_round: Callable[[int], None]
    _dataset: SiteDataset | None = None

    @property
    def names(self) -> list[str]:
        """Parameters that travel."""
        kinds = parameter_kinds(self.attacker.objective)
        return [name for name, kind in kinds.items() if kind == "shared"]

    def hear(self, seen: Round) -> None:
        """Add what this round tells."""
        if self._dataset is None:
            self._dataset = self.attacker.dataset(self.canaries, self.images, seen.standardisation)
        self.attacker.take(seen.base)
        self._add(seen)
        self.on_round(seen.number)

    @abstractmethod
    def _add(self, seen: Round) -> None:
        """Add one round to the scores."""

    def gradient(self, row: int) -> torch.Tensor:
        """Of one canary's losses, (P,)."""
        assert self._dataset is not None
        wanted = dict(self.attacker.objective.named_parameters())
        named = [wanted[name] for name in self.names]
        losses = self.attacker.of_batch(self._dataset.batch([row])).values()
        loss = torch.stack([part.nansum() for part in losses]).sum()
        parts = torch.autograd.grad(loss, named, allow_unused=True)
        return torch.cat(
            [
                torch.zeros(parameter.numel()) if part is None else part.flatten()
                for parameter, part in zip(named, parts, strict=True)
            ]
        )


@dataclass
class Marks(Tally):
    """Of a site's update without noise."""

    scores: Floats = field(default_factory=lambda: np.zeros(1))

    def _add(self, seen: Round) -> None:
        model = seen.seen(self.site)
        moved = np.concatenate([(seen.base[name] - model[name]).ravel() for name in self.names])
        unit = np.empty((len(self.canaries), len(moved)), dtype=np.float16)
        for row in range(len(unit)):
            gradient = self.gradient(row)
            unit[row] = (gradient * (SCALE / gradient.norm().clamp(min=1e-12))).numpy()
        self.scores = self.scores + marked(unit, moved)


@dataclass
class Contributions(Tally):
    """Of the noised sums of a private run of one step a round. noise: of what `plan` says."""

    plan: Plan = field(kw_only=True)
    noise: float = field(kw_only=True)
    _moments: Floats = field(default_factory=lambda: np.zeros(1))
    _before: Floats = field(default_factory=lambda: np.zeros(1))
    _products: Floats = field(default_factory=lambda: np.zeros(1))
    _along: Floats = field(default_factory=lambda: np.zeros(1))

    def overhear(self, moments: Arrays) -> None:
        """What the site's optimiser holds after the round that `hear` is told of next."""
        self._before, self._moments = self._moments, first_moments(moments, self.names)

    @property
    def scores(self) -> Floats:
        """The coins (M,) as far as they can be told, by ridge regression: a coin varies by a quarter."""
        deviation = self.noise * self.plan.noise_multiplier * self.plan.sensitivity / self.plan.clip
        ridge = 4 * deviation**2 + LEAST_RIDGE
        matrix = self._products + ridge * np.eye(len(self._along))
        return np.asarray(np.linalg.solve(matrix, self._along), dtype=np.float64)

    def _add(self, seen: Round) -> None:
        total = given(self._moments, self._before) * (self.plan.normaliser / self.plan.clip)
        clipped = np.stack([self._clipped(row) for row in range(len(self.canaries))])
        rest = (total - self.plan.rate / 2 * clipped.sum(axis=0)).astype(np.float32)
        self._products = self._products + (clipped @ clipped.T).astype(np.float64)
        self._along = self._along + (clipped @ rest).astype(np.float64)

    def _clipped(self, row: int) -> NDArray[np.float32]:
        """A canary's contribution (P,) in clipping norms."""
        gradient = self.gradient(row)
        found: NDArray[np.float32] = (gradient / gradient.norm().clamp(min=self.plan.clip)).numpy()
        return found


def marked(gradients: NDArray[np.float16], moved: NDArray[np.float32]) -> Floats:
    """How far a change (P,) goes each canary's way (M, P) on the coordinates that are its own: those of which it has a
    large share of what all canaries have.
    """
    found = np.zeros(len(gradients))
    for first in range(0, len(moved), COLUMNS):
        own = gradients[:, first : first + COLUMNS].astype(np.float32)
        own -= own.mean(axis=0)
        share = own**2 / ((own**2).sum(axis=0) + 1e-12)
        change = moved[first : first + COLUMNS].astype(np.float64)
        found += (np.sign(own) * share**SHARE).astype(np.float64) @ change
    return found
