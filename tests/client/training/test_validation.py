from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from client.data.dataset import SiteDataset
from client.training.validation import told_of, validate
from shared_model.losses import Objective
from shared_model.records import MODALITIES, STRUCTURED

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


@pytest.mark.parametrize(("patients", "told"), [(1, False), (4, False), (5, True)])
def test_fewer_labelled_patients_than_the_minimum_are_answered_like_none(
    small_objective: MakeObjective, dataset: SiteDataset, patients: int, told: bool
) -> None:
    """Patients, not photographs: those of one patient, however many, are one."""
    of = dataset.table["patient_id"]
    graded = [patient for patient, own in dataset.table.groupby(of) if own["icdr"].notna().any()]
    rows = np.flatnonzero(of.isin(graded[:patients]).to_numpy())
    assert len(rows) > patients
    found = validate(small_objective(), dataset, rows, 16, minimum=5)
    validating = dataset.table.iloc[rows].assign(split="validation")
    assert (
        "icdr" in told_of(validating, 5, MODALITIES)
    ) == told  # as the site's keys of a secure round say it
    assert told_of(validating.assign(split="train"), 0, MODALITIES) == ()
    assert bool(found.examples) == bool(found.loss_sum) == bool(found.confusion["icdr"].sum()) == told
    assert validate(small_objective(), dataset, rows, 16, minimum=patients).examples > 0
    assert validate(small_objective(), dataset, rows, 16).examples > 0  # no minimum, as simulations have it


def test_a_task_that_few_patients_have_a_label_for_is_in_no_figure(
    small_objective: MakeObjective, dataset: SiteDataset
) -> None:
    """Its loss would stand in the sum of both tasks otherwise, where the other one can be subtracted."""
    rows, dataset = np.arange(len(dataset)), copy.copy(dataset)  # the other tests' is left as it is
    dataset.labels = {task: values.clone() for task, values in dataset.labels.items()}
    few = dataset.table["patient_id"].isin(dataset.table["patient_id"].unique()[:4]).to_numpy()
    dataset.labels["sdrg"][torch.from_numpy(~few)] = -1
    objective = small_objective()
    found = validate(objective, dataset, rows, 16, minimum=5)
    assert found.confusion["sdrg"].sum() == 0
    assert found.examples == found.confusion["icdr"].sum() > 0
    dataset.labels["sdrg"][:] = -1
    assert found.loss_sum == validate(objective, dataset, rows, 16).loss_sum


def test_a_patient_of_whom_the_model_reads_nothing_is_not_counted_among_those_with_figures(
    dataset: SiteDataset,
) -> None:
    validating = dataset.table.assign(split="validation", note=None).astype({"note": "string"})
    validating.loc[6:, list(STRUCTURED)] = pd.NA
    with_forms = validating.loc[:5, "patient_id"].nunique()
    assert told_of(validating, with_forms + 1, MODALITIES) == ("icdr", "sdrg")
    assert told_of(validating, with_forms + 1, ("text", "structured")) == ()
    assert "icdr" in told_of(validating, 1, ("text", "structured"))
