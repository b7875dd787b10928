"""Planted patients found again: the whole training path audited, from the photograph's file to the update.

In every round the attacker holds what came back against each canary's own gradient on the model it had sent. What all
canaries' gradients have in common tells none of them apart and is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from shared_model.exchange import parameter_kinds
from simulations.audit.attacker import Attacker
from simulations.audit.views import View
from simulations.audit.witness import Round, watch

Floats = NDArray[np.float64]
FRESH = 1  # rounds: so long are gradients held to point where they did
COLUMNS = 50_000  # of the gradients at a time
SCALE = 1e3  # keeps unit gradients within what half precision holds


@dataclass
class Tally:
    """Scores that grow with every round, of what is seen of `site`.

    noised: whether what is seen carries noise. Then it is held against the gradients as they are, which is what the
    noise hides best. Otherwise against what sets each canary's gradient apart from the others', coordinate by
    coordinate: AdamW moves a coordinate that only one canary has, such as a rare word's, as far as any other.
    """

    attacker: Attacker
    canaries: pd.DataFrame
    images: ImageStore
    site: str
    noised: bool
    on_round: Callable[[int], None]
    scores: Floats = field(default_factory=lambda: np.zeros(1))
    _dataset: SiteDataset | None = None
    _gradients: NDArray[np.float16] | None = None

    def hear(self, seen: Round) -> None:
        """Add what this round tells."""
        if self._dataset is None:
            self._dataset = self.attacker.dataset(self.canaries, self.images, seen.standardisation)
        if self._gradients is None or (seen.number - 1) % FRESH == 0:
            self.attacker.take(seen.base)
            self._gradients = self._taken(self._dataset)
        model = seen.seen(self.site)
        moved = np.concatenate([(seen.base[part] - model[part]).ravel() for part in self._travels()])
        self.scores = self.scores + along(self._gradients, moved, noised=self.noised)
        self.on_round(seen.number)

    def _taken(self, dataset: SiteDataset) -> NDArray[np.float16]:
        """Of every canary, (M, P), each of length SCALE."""
        objective, names = self.attacker.objective, self._travels()
        wanted = dict(objective.named_parameters())
        found = np.empty((len(dataset), sum(wanted[name].numel() for name in names)), dtype=np.float16)
        for row in range(len(dataset)):
            losses = self.attacker.of_batch(dataset.batch([row])).values()
            loss = torch.stack([part.nansum() for part in losses]).sum()
            parts = torch.autograd.grad(loss, [wanted[name] for name in names], allow_unused=True)
            flat = torch.cat(
                [
                    torch.zeros(wanted[name].numel()) if part is None else part.flatten()
                    for name, part in zip(names, parts, strict=True)
                ]
            )
            found[row] = (flat * (SCALE / flat.norm().clamp(min=1e-12))).numpy()
        return found

    def _travels(self) -> list[str]:
        return [name for name, kind in parameter_kinds(self.attacker.objective).items() if kind == "shared"]


def along(gradients: NDArray[np.float16], moved: NDArray[np.float32], *, noised: bool) -> Floats:
    """How far a change (P,) points along each canary's own gradient (M, P), without what all have in common."""
    found = np.zeros(len(gradients))
    for first in range(0, len(moved), COLUMNS):
        own = gradients[:, first : first + COLUMNS].astype(np.float32)
        own -= own.mean(axis=0)
        if not noised:
            own /= own.std(axis=0) + 1e-6
            own = own**3  # what sets a canary apart, not the many small differences
        found += own.astype(np.float64) @ moved[first : first + COLUMNS].astype(np.float64)
    return found


def find(
    view: View,
    tables: Mapping[str, pd.DataFrame],
    canaries: pd.DataFrame,
    included: NDArray[np.bool_],
    images: ImageStore,
    folder: Path,
    on_round: Callable[[int], None],
) -> Floats:
    """Scores (M,) of every canary: larger speaks for "in".

    tables: site -> real records; the canaries whose coin says so join the first site. Statistics and the registered
    number of patients are as they would be without any of them: these are other releases, which are not audited here.
    """
    site = next(iter(tables))
    planted = pd.concat([tables[site], canaries[included]], ignore_index=True)
    real = tables[site]
    registered = int(real.loc[real["split"] == "train", "patient_id"].nunique())
    noised = view.config.privacy.enabled
    tally = Tally(Attacker.of(view.config), canaries, images, site, noised, on_round)
    watch(
        view.config,
        {**tables, site: planted},
        images,
        folder,
        tally.hear,
        told={site: real},
        registered={site: registered},
    )
    return tally.scores
