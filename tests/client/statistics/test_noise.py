"""Noise that keeps to its budget, and answers under it that both sides can use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from client.data.images import ImageStore
from client.statistics.noise import YEAR_STARTS, noisy_counts, noisy_photographs, noisy_table
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.statistics.tables import TABLES, Training
from shared_model.records import build
from shared_model.statistics import BINS, SiteStatistics, summarise

MakeRecords = Callable[..., pd.DataFrame]


def test_noise_is_discrete_laplace_of_its_budget() -> None:
    """Its spread is 2 q / (1 - q)^2 with q = exp(-epsilon), from the mass q^|x| of the distribution."""
    for budget in (0.2, 1.0):
        noise = np.array(noisy_counts(np.full(20_000, 1000), budget)) - 1000
        q = np.exp(-budget)
        assert abs(noise.mean()) < 5 * np.sqrt(2 * q) / (1 - q) / np.sqrt(20_000)
        assert noise.var() == pytest.approx(2 * q / (1 - q) ** 2, rel=0.08)


def test_noisy_counts_are_never_below_0_nor_twice_the_same() -> None:
    first, second = (noisy_counts(np.zeros(500, dtype=np.int64), 0.1) for _ in range(2))
    assert min(first) == 0
    assert first != second


def test_years_are_noised_in_tens_and_every_patient_is_in_one_cell() -> None:
    table = noisy_table(np.array([0, 9, 10, 120]), BINS, 1e6)
    assert table.starts == YEAR_STARTS
    assert table.counts == (2, 1, *[0] * 10, 1)


def test_one_patient_moves_each_table_by_one_and_colours_by_seven_at_most(
    make_records: MakeRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensitivity that the noise is scaled to, over everything that is asked for noise."""
    asked: list[tuple[np.ndarray, int]] = []

    def record(counts: np.ndarray, budget: float, sensitivity: int = 1) -> list[int]:
        asked.append((counts, sensitivity))
        assert budget == pytest.approx(1.0 / (len(TABLES) + 1))
        return [max(0, int(value)) for value in counts]

    monkeypatch.setattr("client.statistics.noise.noisy_counts", record)
    monkeypatch.setattr("client.statistics.site_answer.noisy_counts", record)
    random = np.random.default_rng(0)
    flags = {
        name: random.integers(0, 2, 40).astype(float).tolist() for name in ("sex", "eye", "finding_scar")
    }
    grades = {name: random.integers(0, 5, 40).tolist() for name in ("icdr", "sdrg")}
    table = make_records(40, age=random.integers(0, 120, 40).astype(float).tolist(), **flags, **grades)
    table["patient_id"] = build(
        {
            "record_id": [str(i) for i in range(40)],
            "patient_id": [str(i // 8) for i in range(40)],
            "image_path": ["x"] * 40,
        }
    )["patient_id"]
    for patient in table["patient_id"].unique():
        found = []
        for rows in (table, table[table["patient_id"] != patient]):
            asked.clear()
            site_answer(rows, None, Policy(epsilon=1.0))
            found.append(list(asked))
        for (with_patient, sensitivity), (without, _) in zip(*found, strict=True):
            assert np.abs(with_patient - without).sum() <= sensitivity


def test_colours_are_clipped_so_that_one_patient_moves_them_by_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[np.ndarray, int]] = []

    def record(counts: np.ndarray, budget: float, sensitivity: int = 1) -> list[int]:
        asked.append((counts, sensitivity))
        return counts.tolist()

    monkeypatch.setattr("client.statistics.noise.noisy_counts", record)
    means = np.array([[0.5, 0.4, 0.3, 0.3, 0.2, 0.1], [9.0, 1.0, -3.0, 1.0, 1.0, 1.0]])
    noisy_photographs(means, 16, 1.0)
    found = noisy_photographs(means[:1], 16, 1.0)
    assert np.abs(asked[0][0] - asked[1][0]).sum() <= asked[0][1] == 7000
    assert found.pixels == 16
    assert found.sum == pytest.approx([8.0, 6.4, 4.8])


def test_a_noisy_answer_is_understood_and_marked_as_an_estimate(
    records: pd.DataFrame, images: ImageStore
) -> None:
    for epsilon in (0.05, 1e5):
        answer = site_answer(records, images, Policy(epsilon=epsilon))
        told = SiteStatistics.from_dict(answer)
        assert told.absent == {"records": "noise"}
        pooled = summarise([("a", answer)])
        assert not pooled.values["age"].exact
    assert told.patients == Training.of(records, b"").count
    ages = records[records["split"] == "train"].groupby("patient_id")["age"].first()
    assert pooled.values["age"].mean == pytest.approx(ages.mean(), abs=3)
    assert pooled.values["age"].n == ages.notna().sum()
    assert pooled.image_mean == pytest.approx([0.5] * 3, abs=0.05)
