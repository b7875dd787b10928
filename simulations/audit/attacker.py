"""The attacker's own copy of the model: it knows the code, the configuration and what travelled, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from shared_model.config import Config
from shared_model.exchange import write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Batch, Objective
from shared_model.losses.grading import MISSING
from shared_model.model import Encoding, Tokenizer, build_model, load_tokenizer
from shared_model.records import TASKS
from shared_model.statistics import Standardisation

Floats = NDArray[np.float64]
GRADING, IMAGE, TEXT = "grading", "image reconstruction", "note reconstruction"
BATCH = 64


@dataclass(frozen=True, eq=False)
class Attacker:
    """Knows `config`; `objective` is its copy of the model, with a tokenizer of its own."""

    config: Config
    objective: Objective
    tokenizer: Tokenizer

    @classmethod
    def of(cls, config: Config) -> Attacker:
        """With the weights that every site starts from."""
        objective = Objective(build_model(config.model, seed=config.seed), config.losses)
        return cls(config, objective, load_tokenizer(objective.model))

    def take(self, arrays: Arrays) -> None:
        """Put a model that was seen into the copy."""
        write_tensors(self.objective, arrays)
        self.objective.eval()

    def dataset(
        self, table: pd.DataFrame, images: ImageStore, standardisation: Mapping[str, Any]
    ) -> SiteDataset:
        """Records whose membership or content is asked after, as the sites would read them."""
        return SiteDataset(table, images, self.tokenizer, Standardisation.from_dict(dict(standardisation)))

    @property
    def signals(self) -> list[str]:
        """The losses that it can compute: those of a decoder only where the decoder travelled."""
        local, model = set(self.config.model.local), self.objective.model
        found = [GRADING]
        if model.image_decoder is not None and "image_decoder" not in local:
            found.append(IMAGE)
        if model.text_decoder is not None and "text_decoder" not in local:
            found.append(TEXT)
        return found

    @torch.no_grad()
    def losses(self, dataset: SiteDataset) -> dict[str, Floats]:
        """Each signal's loss of every record (N,); NaN where a record has nothing to compute it from."""
        parts: dict[str, list[Tensor]] = {name: [] for name in self.signals}
        for start in range(0, len(dataset), BATCH):
            batch = dataset.batch(np.arange(start, min(start + BATCH, len(dataset))))
            for name, values in self.of_batch(batch).items():
                parts[name].append(values)
        return {name: torch.cat(values).double().numpy() for name, values in parts.items()}

    def of_batch(self, batch: Batch) -> dict[str, Tensor]:
        """Each signal's loss of every record of a batch (B,), differentiable."""
        wanted = self.signals
        found = {GRADING: graded(self.objective, batch)}
        if IMAGE in wanted:
            found[IMAGE] = self._photographs(batch)
        if TEXT in wanted:
            found[TEXT] = self._notes(batch)
        return found

    def _photographs(self, batch: Batch) -> Tensor:
        model = self.objective.model
        assert model.image_decoder is not None
        cls = model.fuse({"image": model.embed_image(batch.image)}).cls["image"]
        error: Tensor = (model.image_decoder(cls) - batch.image).square().mean(dim=(1, 2, 3))
        return error

    def _notes(self, batch: Batch) -> Tensor:
        model = self.objective.model
        assert model.text_decoder is not None
        found = torch.full((len(batch.image),), torch.nan)
        rows = batch.present["text"].nonzero().squeeze(1)
        if len(rows):
            note = batch.note._replace(ids=batch.note.ids[rows], mask=batch.note.mask[rows], trunk=None)
            cls = model.fuse({"text": model.embed_text(note)}).cls["text"]
            logits = model.text_decoder(cls, note.ids[:, :-1])
            target = note.ids[:, 1:].masked_fill(note.mask[:, 1:] == 0, -100)
            each = F.cross_entropy(logits.transpose(1, 2), target, reduction="none", ignore_index=-100)
            found = found.index_copy(0, rows, each.sum(dim=1) / (target != -100).sum(dim=1))
        return found


def graded(objective: Objective, batch: Batch) -> Tensor:
    """Cross-entropy of every record's grades (B,), summed over the tasks that have a label."""
    model = objective.model
    note = batch.masked_note if objective.config.mask_notes else batch.note
    embedded = {
        "image": model.embed_image(batch.image),
        "text": model.embed_text(note),
        "structured": model.embed_structured(batch.structured),
    }
    encoding: Encoding = model.fuse(embedded, batch.present)
    logits = model.grade(encoding)
    return torch.stack(
        [
            F.cross_entropy(logits[task], batch.labels[task], reduction="none", ignore_index=MISSING)
            for task in TASKS
        ]
    ).sum(dim=0)


def by_patient(values: Floats, patients: Iterable[str]) -> pd.Series:
    """The mean over each patient's records, in the order in which patients first appear."""
    return pd.Series(values).groupby(pd.Series(list(patients)), sort=False).mean()
