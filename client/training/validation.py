"""A site's answer to "how good is this model here": grading loss and confusion matrices, nothing per patient."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from client.data.dataset import SiteDataset
from client.training.machine import PLAIN, Machine
from shared_model.losses import Batch, Objective
from shared_model.losses.grading import MISSING
from shared_model.metrics.grading import confusion_matrix
from shared_model.records import GRADES, STRUCTURED, TASKS


@dataclass
class Validation:
    """Sums that pool exactly: loss_sum over `examples` labels (of both tasks), and a 5 x 5 confusion matrix a task."""

    examples: int = 0
    loss_sum: float = 0.0
    confusion: dict[str, NDArray[np.int64]] = field(
        default_factory=lambda: {task: np.zeros((GRADES, GRADES), dtype=np.int64) for task in TASKS}
    )

    def to_fields(self) -> dict[str, Any]:
        """As it leaves."""
        return {
            "examples": self.examples,
            "loss_sum": self.loss_sum,
            "confusion": {task: matrix.tolist() for task, matrix in self.confusion.items()},
        }


@torch.no_grad()
def validate(
    objective: Objective,
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    batch_size: int,
    machine: Machine = PLAIN,
    *,
    minimum: int = 0,
) -> Validation:
    """Grade `rows` with every input they have; the loss is the unweighted cross-entropy.

    minimum: patients with a label that a task's figures rest on at least; of a task with fewer nothing is said, as if
    nobody had a label for it. Below 2 nothing is withheld.
    """
    objective.eval()
    result = Validation()
    told = _told(dataset, rows, minimum)
    if not told:
        return result
    for start in range(0, len(rows), batch_size):
        with machine.autocast():
            logits, labels = _graded(objective, dataset.batch(rows[start : start + batch_size]))
        for task in told:
            label = labels[task]
            result.examples += int((label != MISSING).sum())
            result.loss_sum += float(
                F.cross_entropy(logits[task], label, ignore_index=MISSING, reduction="sum")
            )
            result.confusion[task] += confusion_matrix(label.numpy(), logits[task].argmax(dim=1).numpy())
    return result


def told_of(table: pd.DataFrame, minimum: int, inputs: Collection[str]) -> tuple[str, ...]:
    """The tasks whose validation figures a site with these canonical records has to tell. inputs: what the model reads.

    At least `minimum` of the patients that validate, with a record of which the model reads anything, have a label for
    them, and at least one has.
    """
    rows = table[table["split"] == "validation"]
    if "image" not in inputs:
        columns = [*(["note"] if "text" in inputs else []), *(STRUCTURED if "structured" in inputs else [])]
        rows = rows[rows[columns].notna().any(axis=1)]
    patients = {task: rows.loc[rows[task].notna(), "patient_id"].nunique() for task in TASKS}
    return tuple(task for task in TASKS if patients[task] >= max(minimum, 1))


def _told(dataset: SiteDataset, rows: NDArray[np.int64], minimum: int) -> list[str]:
    """The tasks that at least `minimum` patients of these rows have a label for: patients, not photographs."""
    if minimum < 2:
        return list(TASKS)
    patients = dataset.table["patient_id"].to_numpy()[rows]
    known = {task: dataset.labels[task].numpy()[rows] != MISSING for task in TASKS}
    return [task for task in TASKS if len(set(patients[known[task]])) >= minimum]


def _graded(objective: Objective, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Logits in fp32 and labels of every task, on the processor."""
    labels = batch.labels
    batch = batch.to(next(objective.parameters()).device)
    embedded = {
        "image": objective.model.embed_image(batch.image, batch.image_trunk),
        "text": objective.model.embed_text(batch.masked_note if objective.config.mask_notes else batch.note),
        "structured": objective.model.embed_structured(batch.structured),
    }
    logits = objective.model.grade(objective.model.fuse(embedded, batch.present))
    return {task: logits[task].float().cpu() for task in TASKS}, labels
