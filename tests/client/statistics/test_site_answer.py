from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.adapters import load
from client.data.images import build_image_store
from client.data.split import assign_splits
from client.data.statistics import site_statistics
from shared_model.records import build
from shared_model.statistics import pool


def records(count: int, split: str = "train", **columns: list[object]) -> pd.DataFrame:
    names = [f"{split}{i}" for i in range(count)]
    return build(
        {"record_id": names, "patient_id": names, "image_path": names, "split": [split] * count, **columns}
    )


def test_validation_and_test_patients_are_in_no_statistic(
    write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"patient_age": str(20 + i), "DR_ICDR": str(i % 5)} for i in range(40)]
    table = assign_splits(load(write_folder(rows)).table, seed=0)
    store, _ = build_image_store(table, tmp_path / "photos.npy", 16)
    train = table[table["split"] == "train"]
    assert 0 < len(train) < 40
    assert site_statistics(table, store) == site_statistics(train, store)
    others = table.assign(age=table["age"].where(table["split"] == "train", 99.0))
    assert site_statistics(others, store) == site_statistics(table, store)


def test_image_statistics_are_those_of_the_training_pixels(
    write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    table = assign_splits(load(write_folder([{} for _ in range(20)])).table, seed=0)
    store, _ = build_image_store(table, tmp_path / "photos.npy", 16)
    parts = [site_statistics(table.iloc[:7], store), site_statistics(table.iloc[7:], store)]
    pooled = pool(parts)
    train = [store.index_of(r) for r in table.loc[table["split"] == "train", "record_id"]]
    pixels = store.batch(train).astype(np.float64) / 255
    assert pooled.image_mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), rel=1e-12)
    assert pooled.image_std == pytest.approx(pixels.std(axis=(0, 2, 3)), rel=1e-12)


def test_records_whose_photograph_is_not_in_the_store_do_not_count_as_pixels(
    write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    table = load(write_folder([{}, {}])).table.assign(split="train")
    Path(table["image_path"].iloc[0]).write_bytes(b"damaged")
    store, _ = build_image_store(table, tmp_path / "photos.npy", 16)
    answer = site_statistics(table, store)
    assert answer["records"] == 2
    assert answer["photographs"]["pixels"] == 16 * 16


def test_a_site_without_training_patients_answers_zeros() -> None:
    answer = site_statistics(records(3, "test", age=[50.0] * 3))
    assert answer["records"] == answer["patients"] == 0
    assert answer["years"]["age"]["n"] == 0
    assert pool([answer]).available == (False,) * 6


def test_cells_under_the_minimum_are_held_back_and_those_at_it_are_not() -> None:
    table = records(12, age=[50.0] * 9 + [60.0] * 3, sex=[1.0] * 2 + [0.0] * 10, icdr=[0] * 11 + [4])
    answer = site_statistics(table, minimum_cell=3)
    assert answer["flags"]["sex"] == [10, None]
    assert answer["classes"]["icdr"] == [11, 0, 0, 0, None]
    assert answer["years"]["age"]["histogram"][60] == 3
    assert site_statistics(table, minimum_cell=4)["years"]["age"]["histogram"][60] is None
    assert site_statistics(table, minimum_cell=13)["years"]["age"] is None
    assert site_statistics(table, minimum_cell=13)["records"] is None
    assert None not in site_statistics(table)["classes"]["icdr"]


def test_suppressed_cells_pool_as_nothing_and_the_mean_stands_in_for_a_lost_median() -> None:
    table = records(4, age=[10.0, 20.0, 30.0, 100.0], icdr=[0, 0, 0, 1])
    pooled = pool([site_statistics(table, minimum_cell=2)])
    assert pooled.class_counts["icdr"] == (3, 0, 0, 0, 0)
    assert pooled.impute[0] == pooled.mean[0] == 40.0
