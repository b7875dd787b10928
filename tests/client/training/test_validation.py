from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from client.data.dataset import SiteDataset
from client.training.validation import validate
from shared_model.losses import Objective

MakeObjective = Callable[..., Objective]


def test_validation_counts_every_labelled_record_and_no_other(
    small_objective: MakeObjective, dataset: SiteDataset
) -> None:
    rows = np.arange(len(dataset))
    found = validate(small_objective(), dataset, rows, 16)
    for task in ("icdr", "sdrg"):
        labels = dataset.labels[task].numpy()
        assert found.confusion[task].sum(axis=1).tolist() == [int((labels == g).sum()) for g in range(5)]
    assert found.examples == sum(int(matrix.sum()) for matrix in found.confusion.values())


def test_validation_depends_on_neither_batches_nor_training_mode(
    small_objective: MakeObjective, dataset: SiteDataset
) -> None:
    """Some records lack an SDRG: sums over labels pool exactly, means of means would not."""
    objective = small_objective("model.fusion.dropout=0.5")
    rows = np.arange(len(dataset))
    objective.train()
    a, b = validate(objective, dataset, rows, 3), validate(objective, dataset, rows, 64)
    assert a.loss_sum == pytest.approx(b.loss_sum, rel=1e-5)
    assert a.examples == b.examples
    assert all((a.confusion[t] == b.confusion[t]).all() for t in a.confusion)


def test_the_loss_is_the_cross_entropy_of_every_label_with_every_input(
    small_objective: MakeObjective, dataset: SiteDataset
) -> None:
    objective = small_objective().eval()
    rows = dataset.rows_of("validation")
    batch = dataset.batch(rows)
    with torch.no_grad():
        parts = {
            "image": objective.model.embed_image(batch.image),
            "text": objective.model.embed_text(batch.masked_note),
            "structured": objective.model.embed_structured(batch.structured),
        }
        logits = objective.model.grade(objective.model.fuse(parts, batch.present))
    known = {task: label >= 0 for task, label in batch.labels.items()}
    loss = sum(
        -torch.log_softmax(logits[t], 1)[here].gather(1, batch.labels[t][here, None]).sum()
        for t, here in known.items()
    )
    found = validate(objective, dataset, rows, 64)
    assert found.loss_sum == pytest.approx(float(loss), rel=1e-5)


def test_nobody_to_validate_on_is_zero_examples(small_objective: MakeObjective, dataset: SiteDataset) -> None:
    found = validate(small_objective(), dataset, np.array([], dtype=np.int64), 8)
    assert (found.examples, found.loss_sum) == (0, 0.0)
    assert found.confusion["icdr"].sum() == 0
