"""A loss that depends on one patient alone: the objective with public examples in place of other patients.

A contrastive loss over a batch lets every patient into every other's gradient, and clipping each gradient then
bounds nothing. Here the negatives come from a public bank, encoded without gradient at the start of a step.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from client.privacy.dp.bank import Bank, encode
from shared_model.losses import Batch, Objective, grading_loss
from shared_model.losses.grading import MISSING
from shared_model.model import TextBatch

PAIRS = (("image", "text"), ("image", "structured"), ("text", "structured"))


class PatientObjective(Objective):
    """`objective` for the records of one patient; model, weighting and parameters are the same objects."""

    def __init__(self, objective: Objective, bank: Bank) -> None:
        nn.Module.__init__(self)
        self.model = objective.model
        self.config = objective.config
        self.weighting = objective.weighting
        self.class_weights = objective.class_weights
        self.wanted = objective.wanted
        self._bank = bank
        self._others: dict[str, Tensor] = {}

    def start_step(self) -> None:
        """Encode the bank with the weights that this step starts from; they are released, so this is too."""
        if self.wanted & {f"{a}_{b}" for a, b in PAIRS}:
            self._others = encode(self._bank, self)

    def _contrastive(self, batch: Batch, cls: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As Objective's, each record against the bank; one record is enough."""
        losses = {}
        for a, b in PAIRS:
            both = batch.present[a] & batch.present[b]
            if f"{a}_{b}" not in self.wanted or not bool(both.any()):
                continue
            note = TextBatch(batch.note.ids[both], batch.note.mask[both])
            ways = ((a, b), (b, a))
            losses[f"{a}_{b}"] = torch.stack(
                [self._against(cls[x][both], cls[y][both], y, note) for x, y in ways]
            ).mean()
        return losses

    def _against(self, own: Tensor, partner: Tensor, modality: str, note: TextBatch) -> Tensor:
        """Mean cross-entropy of (R, width) `own` finding its `partner` among the bank's examples of `modality`."""
        own, partner = F.normalize(own, dim=1), F.normalize(partner, dim=1)
        others = own @ F.normalize(self._others[modality], dim=1).T  # (R, M)
        if modality == "text" and self.config.contrastive_targets == "equal_notes":
            others = others.masked_fill(equal_notes(note, self._bank.note), -torch.inf)
        logits = (
            torch.cat([(own * partner).sum(dim=1, keepdim=True), others], dim=1) / self.config.temperature
        )
        return F.cross_entropy(logits, torch.zeros(len(own), dtype=torch.long, device=own.device))

    def _grading(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor | None:
        """As Objective's, but a class weight multiplies: a mean weighted within one patient would cancel it."""
        if self.class_weights is None:
            return grading_loss(logits, labels, None, self.config.label_smoothing)
        losses = []
        for task, scores in logits.items():
            known = labels[task] != MISSING
            if bool(known.any()):
                own = F.cross_entropy(
                    scores[known],
                    labels[task][known],
                    reduction="none",
                    label_smoothing=self.config.label_smoothing,
                )
                losses.append((own * self.class_weights[task][labels[task][known]]).mean())
        return torch.stack(losses).mean() if losses else None


def equal_notes(own: TextBatch, others: TextBatch) -> Tensor:
    """Which notes are the same, (R, M) bool: (R, L) and (M, L') token ids compared without their padding."""
    length = max(own.ids.shape[1], others.ids.shape[1])
    a, b = (
        F.pad(t.ids.masked_fill(t.mask == 0, -1), (0, length - t.ids.shape[1]), value=-1)
        for t in (own, others)
    )
    return (a.unsqueeze(1) == b.unsqueeze(0)).all(dim=2)
