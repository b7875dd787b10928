"""Statistics pooled over sites are those of the pooled records, however they are divided."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_model.records import FINDINGS, STRUCTURED, TASKS
from shared_model.statistics import pool, summarise
from tests.shared_model.statistics.site_records import FLAG, FULL_ROW, YEARS, records, site_statistics

ROW = st.fixed_dictionaries(
    {
        "age": YEARS,
        "sex": FLAG,
        "eye": FLAG,
        "diabetes_duration": st.one_of(st.none(), st.floats(0, 120).map(lambda value: round(value, 1))),
        "insulin": FLAG,
        "diabetes": FLAG,
        "icdr": st.sampled_from([None, 0, 1, 2, 3, 4]),
        "sdrg": st.sampled_from([None, 0, 4]),
        "split": st.sampled_from(["train", "train", "validation", "test"]),
    }
)


def test_pooled_sites_give_the_statistics_of_pooled_data_to_1e_12() -> None:
    draw = np.random.default_rng(0)
    rows = [
        {
            "age": float(draw.integers(5, 98)) if draw.random() < 0.7 else None,
            "diabetes_duration": round(float(draw.gamma(2, 6)), 2) if draw.random() < 0.2 else None,
            "insulin": float(draw.random() < 0.5) if draw.random() < 0.1 else None,
            "sex": float(draw.random() < 0.4),
            "icdr": int(draw.integers(0, 5)),
            "split": "train",
        }
        for _ in range(3000)
    ]
    table = records(rows)
    sites = [table.iloc[:100], table.iloc[100:1700], table.iloc[1700:]]
    pooled = pool(site_statistics(site) for site in sites)
    for position, name in enumerate(STRUCTURED):
        values = table[name].dropna().to_numpy()
        if not len(values):
            assert not pooled.available[position]
            continue
        assert pooled.mean[position] == pytest.approx(values.mean(), rel=1e-12)
        assert pooled.std[position] == pytest.approx(values.std(), rel=1e-12)
    assert pooled.impute[STRUCTURED.index("age")] == np.median(table["age"].dropna())
    assert pooled.impute[STRUCTURED.index("diabetes_duration")] == pytest.approx(
        np.median(table["diabetes_duration"].dropna()), abs=0.5
    )
    assert pooled.impute[STRUCTURED.index("sex")] == table["sex"].mode()[0]
    assert pooled.class_counts["icdr"] == tuple(table["icdr"].value_counts().sort_index())
    assert pooled.class_counts["sdrg"] == (0, 0, 0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=30), st.integers(1, 5), st.randoms())
def test_any_division_into_sites_and_any_order_of_arrival_give_the_same(
    rows: list[dict[str, Any]], sites: int, order: random.Random
) -> None:
    table = records(rows)
    whole = pool([site_statistics(table)])
    answers = [site_statistics(table.iloc[i::sites]) for i in range(sites)]
    pooled = pool(answers)
    assert pooled.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-12)
    assert pooled.std == pytest.approx(whole.std, rel=1e-9)
    assert (pooled.impute, pooled.available) == (whole.impute, whole.available)
    assert pooled.class_counts == whole.class_counts
    order.shuffle(answers)
    assert pool(answers) == pooled


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_standardised_training_values_have_mean_0_and_gaps_are_told(rows: list[dict[str, Any]]) -> None:
    table = records(rows)
    standardisation = pool([site_statistics(table)])
    values, present = standardisation.apply(table)
    assert values.shape == (len(rows), 6)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    recorded = table[list(STRUCTURED)].notna().to_numpy() & np.array(standardisation.available)
    assert np.array_equal(present, recorded.any(axis=1))
    train = (table["split"] == "train").to_numpy()
    for column in range(6):
        known = values[train & recorded[:, column], column]
        if len(known):
            assert abs(known.mean()) < 1e-4


def test_gaps_are_filled_with_median_and_mode() -> None:
    ages = [(20.0, 1.0), (30.0, 1.0), (70.0, 0.0), (None, None)]
    table = records([{"age": age, "sex": sex, "split": "train"} for age, sex in ages])
    standardisation = pool([site_statistics(table)])
    values, present = standardisation.apply(table)
    assert values[3, 0] == pytest.approx((30 - 40) / np.std([20, 30, 70]))
    assert values[3, 1] == pytest.approx((1 - 2 / 3) / np.std([1, 1, 0]))
    assert present.tolist() == [True, True, True, False]


def test_a_value_nobody_trained_on_enters_as_0_and_counts_as_absent() -> None:
    standardisation = pool([site_statistics(records([{"sex": 1.0, "split": "train"}]))])
    assert standardisation.available == (False, True, False, False, False, False)
    values, present = standardisation.apply(records([{"age": 90.0}, {"sex": 0.0}]))
    assert values[0].tolist() == [0.0] * 6
    assert present.tolist() == [False, True]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(FULL_ROW, st.integers(0, 4)), max_size=40))
def test_pooled_statistics_are_those_of_pooled_data(dealt: list[tuple[dict[str, Any], int]]) -> None:
    """Means, variances, medians, modes and counts, as pandas has them, for any sites."""
    table = records([row | {"split": "train"} for row, _ in dealt]) if dealt else records([{"split": "test"}])
    if dealt:
        table["patient_id"] = [f"{site}-{row['patient']}" for row, site in dealt]
        table["patient_id"] = table["patient_id"].astype("str")
    where = np.array([site for _, site in dealt] or [0])
    pooled = summarise((f"site {s}", site_statistics(table[where == s])) for s in range(5))
    train = table[table["split"] == "train"]
    assert (pooled.records, pooled.patients) == (len(train), train["patient_id"].nunique())
    for name in STRUCTURED:
        known, value = train[name].dropna(), pooled.values[name]
        assert value.exact
        assert value.n == len(known)
        if len(known):
            assert value.mean == pytest.approx(known.mean(), rel=1e-12)
            assert value.variance == pytest.approx(known.var(ddof=0), rel=1e-9, abs=1e-9)
            assert (value.median, value.mode) == (known.median(), known.mode()[0])
    for task in TASKS:
        assert pooled.classes[task].counts == tuple(int((train[task] == grade).sum()) for grade in range(5))
    for name in FINDINGS:
        column = train[f"finding_{name}"]
        assert pooled.findings[name].counts == (int((column == 0).sum()), int((column == 1).sum()))
