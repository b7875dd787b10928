"""The objective: one batch to six losses and their weighted sum.

Alignment (contrastive and reconstruction losses) reads the full note; grading reads the note without the sentences
that state the grade. The contrastive source is `unimodal` by default: each modality encoded apart from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared_model.config.schema import LossConfig
from shared_model.losses.contrastive import contrastive_loss
from shared_model.losses.grading import grading_loss
from shared_model.losses.weighting import LossWeighting
from shared_model.model.fusion_model import FusionModel, TextBatch, Tokens, moved_to
from shared_model.records import MODALITIES, TASKS


@dataclass(frozen=True)
class Batch:
    """B samples, standardised. Rows of a modality that a sample lacks hold zeros; `present` says which."""

    image: Tensor  # (B, 3, S, S)
    note: TextBatch  # (B, L) the full note
    masked_note: TextBatch  # (B, L') what grading may read
    note_group: Tensor  # (B,) equal notes, equal ids
    structured: Tensor  # (B, 6)
    present: dict[str, Tensor]  # modality -> (B,) bool
    labels: dict[str, Tensor]  # task -> (B,) int64, -1 where missing
    image_trunk: Tensor | None = None  # (B, T, encoder width), what the frozen part gives of `image` if known

    def to(self, device: str | torch.device) -> Batch:
        """The batch on a device; to CUDA through pinned memory, so that the copy need not be waited for."""
        if torch.device(device).type == self.image.device.type:
            return self

        return Batch(
            image=moved_to(device, self.image),
            note=self.note.to(device),
            masked_note=self.masked_note.to(device),
            note_group=moved_to(device, self.note_group),
            structured=moved_to(device, self.structured),
            present={name: moved_to(device, here) for name, here in self.present.items()},
            labels={task: moved_to(device, label) for task, label in self.labels.items()},
            image_trunk=None if self.image_trunk is None else moved_to(device, self.image_trunk),
        )


class Objective(nn.Module):
    """A model and its loss weighting: together all that is trained."""

    def __init__(self, model: FusionModel, config: LossConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.weighting = LossWeighting(config)
        self.class_weights: dict[str, Tensor] | None = None
        self.wanted = {
            name for name, value in self.weighting.fixed.items() if config.weighting != "fixed" or value > 0
        }

    def balance(self, class_counts: Mapping[str, list[int]]) -> None:
        """Weigh grades by the federation's training counts, as far as `class_balance` says (0: not at all)."""
        device = next(self.model.parameters()).device
        weights = _class_weights(class_counts, self.config.class_balance)
        self.class_weights = weights and {task: weight.to(device) for task, weight in weights.items()}

    def forward(
        self, batch: Batch, keep: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum and the losses it is made of (a loss the batch cannot support is absent).

        keep: modality to (B,) bool, modality dropout of the grading pass.
        """
        image = self.model.embed_image(batch.image, batch.image_trunk)
        graded = self._embed_rest(batch, image, batch.masked_note if self.config.mask_notes else batch.note)
        present = {name: batch.present[name] & _kept(keep, name, batch) for name in MODALITIES}
        losses: dict[str, Tensor] = {}
        if self.wanted - {"grading"}:
            losses |= self._alignment(batch, image, graded)
        if "grading" in self.wanted:
            logits = self.model.grade(self.model.fuse(graded, present))
            grading = self._grading(logits, batch.labels)
            if grading is not None:
                losses["grading"] = grading
        return self.weighting(losses) if losses else self.model.nothing(), losses

    def _grading(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor | None:
        return grading_loss(logits, labels, self.class_weights, self.config.label_smoothing)

    def _embed_rest(self, batch: Batch, image: Tokens, text: TextBatch) -> dict[str, Tokens]:
        return {
            "image": image,
            "text": self.model.embed_text(text),
            "structured": self.model.embed_structured(batch.structured),
        }

    def _alignment(self, batch: Batch, image: Tokens, graded: Mapping[str, Tokens]) -> dict[str, Tensor]:
        """Contrastive and reconstruction losses from the encodings that `contrastive_source` names."""
        text = self.model.embed_text(batch.note) if self.config.mask_notes else graded["text"]
        embedded = {"image": image, "text": text, "structured": graded["structured"]}
        if self.config.contrastive_source == "paired":
            cls = self.model.fuse(embedded, batch.present).cls
        else:
            cls = {name: self._alone(name, embedded[name], batch.present[name]) for name in MODALITIES}
        return self._contrastive(batch, cls) | self._reconstruction(batch, cls)

    def _alone(self, name: str, tokens: Tokens, present: Tensor) -> Tensor:
        """CLS (B, width) of one modality fused by itself; zeros for samples that lack it."""
        if bool(present.all()):
            return self.model.fuse({name: tokens}).cls[name]
        cls = tokens.tokens.new_zeros(len(present), tokens.tokens.shape[2])
        if bool(present.any()):
            rows = present.nonzero().squeeze(1)
            some = Tokens(tokens.tokens[rows], tokens.padding[rows])
            cls = cls.index_copy(0, rows, self.model.fuse({name: some}).cls[name])
        return cls

    def _contrastive(self, batch: Batch, cls: Mapping[str, Tensor]) -> dict[str, Tensor]:
        losses = {}
        for a, b in (("image", "text"), ("image", "structured"), ("text", "structured")):
            both = batch.present[a] & batch.present[b]
            if f"{a}_{b}" not in self.wanted or int(both.sum()) < 2:
                continue
            uses_notes = self.config.contrastive_targets == "equal_notes" and "text" in (a, b)
            group = batch.note_group[both] if uses_notes else None
            losses[f"{a}_{b}"] = contrastive_loss(cls[a][both], cls[b][both], self.config.temperature, group)
        return losses

    def _reconstruction(self, batch: Batch, cls: Mapping[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        here = batch.present["image"]
        if (
            self.model.image_decoder is not None
            and "image_reconstruction" in self.wanted
            and bool(here.any())
        ):
            image = self.model.image_decoder(cls["image"][here])
            losses["image_reconstruction"] = F.mse_loss(image, batch.image[here])
        here = batch.present["text"]
        if self.model.text_decoder is not None and "text_reconstruction" in self.wanted and bool(here.any()):
            ids, mask = batch.note.ids[here], batch.note.mask[here]
            logits = self.model.text_decoder(cls["text"][here], ids[:, :-1])
            target = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
            losses["text_reconstruction"] = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        return losses


def _kept(keep: Mapping[str, Tensor] | None, name: str, batch: Batch) -> Tensor:
    return torch.ones_like(batch.present[name]) if keep is None else keep[name]


def _class_weights(counts: Mapping[str, list[int]], exponent: float) -> dict[str, Tensor] | None:
    """Inverse training frequency to the power `exponent`, averaging 1 over the training samples."""
    if exponent == 0:
        return None
    weights = {}
    for task in TASKS:
        count = torch.tensor(counts[task], dtype=torch.float32)
        weight = count.clamp(min=1).pow(-exponent)
        weights[task] = weight * count.sum().clamp(min=1) / (weight * count).sum().clamp(min=1e-12)
    return weights
