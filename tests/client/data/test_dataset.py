from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from client.data.dataset import SiteDataset, note_groups
from client.data.images import ImageStore
from client.statistics.policy import OPEN
from client.statistics.site_answer import site_answer
from shared_model.model import Tokenizer
from shared_model.records import STRUCTURED, TEXT
from shared_model.statistics import Standardisation, pool


def test_a_batch_is_the_records_in_the_order_asked_for(
    dataset: SiteDataset, records: pd.DataFrame, images: ImageStore, standardisation: Standardisation
) -> None:
    rows = [7, 3, 3, 20]
    batch = dataset.batch(rows)
    for position, row in enumerate(rows):
        record = records.iloc[row]
        pixels = images.batch([images.index_of(record["record_id"])])[0] / 255.0
        mean, std = (
            np.array(v).reshape(3, 1, 1) for v in (standardisation.image_mean, standardisation.image_std)
        )
        np.testing.assert_allclose(batch.image[position].numpy(), (pixels - mean) / std, atol=1e-5)
        for task in ("icdr", "sdrg"):
            expected = -1 if pd.isna(record[task]) else int(record[task])
            assert int(batch.labels[task][position]) == expected
        assert bool(batch.present["text"][position]) == pd.notna(record["note"])
    assert bool(batch.present["image"].all())


def test_training_photographs_are_standard_in_each_channel(dataset: SiteDataset) -> None:
    image = dataset.batch(dataset.rows_of("train")).image
    assert torch.allclose(image.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-3)
    assert torch.allclose(image.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-2)


def test_missing_values_are_said_per_sample(dataset: SiteDataset, records: pd.DataFrame) -> None:
    batch = dataset.batch(np.arange(len(dataset)))
    assert not bool(batch.present["text"].all())
    assert not bool(batch.present["structured"].all())
    assert (batch.labels["sdrg"] == -1).any()
    assert (batch.present["text"].numpy() == records["note"].notna().to_numpy()).all()
    assert torch.isfinite(batch.structured).all()


def test_a_note_without_abnormality_is_a_note(
    dataset: SiteDataset, records: pd.DataFrame, tokenizer: Tokenizer
) -> None:
    (row,) = np.flatnonzero(records["note"] == "No abnormality is recorded.")[:1]
    batch = dataset.batch([int(row)])
    assert batch.present["text"].tolist() == [True]
    assert batch.masked_note.ids.tolist() == [tokenizer.ids("")]  # it states grade 0 by implication
    assert batch.note.ids.shape[1] > 2


def test_equal_notes_have_equal_groups_and_absent_ones_none() -> None:
    notes = pd.Series(["b", None, "a", "b", np.nan, ""], dtype=TEXT)
    assert note_groups(notes).tolist() == [0, -1, 1, 0, -1, 2]


def test_splits_are_disjoint_and_whole(dataset: SiteDataset) -> None:
    rows = [dataset.rows_of(split) for split in ("train", "validation", "test")]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(dataset)))
    assert all(len(part) for part in rows)


def test_a_record_without_a_photograph_in_the_store_is_an_error(
    records: pd.DataFrame, images: ImageStore, tokenizer: Tokenizer, standardisation: Standardisation
) -> None:
    with pytest.raises(KeyError):
        SiteDataset(records.assign(record_id=records["record_id"] + "x"), images, tokenizer, standardisation)


def test_a_model_that_never_saw_a_note_or_a_value_reads_none(
    records: pd.DataFrame, images: ImageStore, tokenizer: Tokenizer
) -> None:
    """A photographs-only hospital's own model, tested where there are notes: they would be noise to it."""
    bare = records.copy()
    bare[["note", "masked_note", *STRUCTURED]] = np.nan
    dataset = SiteDataset(records, images, tokenizer, pool([site_answer(bare, images, OPEN)]))
    batch = dataset.batch(np.arange(len(dataset)))
    assert not batch.present["text"].any()
    assert not batch.present["structured"].any()
    assert (batch.note_group == -1).all()
    assert batch.note.mask.sum() == 2 * len(dataset)  # CLS and SEP alone
