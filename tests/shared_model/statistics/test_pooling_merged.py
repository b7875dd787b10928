"""Pooling answers in which a site's policy merged small cells or left questions out."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from shared_model.records import STRUCTURED
from shared_model.statistics import Standardisation, summarise
from tests.shared_model.statistics.site_records import FULL_ROW, records, site_statistics


def test_a_minimum_changes_nothing_where_every_cell_has_enough_patients() -> None:
    rows = [
        {"age": float(age), "sex": float(age % 2), "icdr": age % 5, "split": "train"}
        for age in range(121)
        for _ in range(3)
    ]
    table = records([row for row in rows if row["age"] != 7])
    table = pd.concat([table, records([{"age": 7.0, "sex": 0.0, "icdr": 2, "split": "train"}] * 5)])
    table["record_id"] = table["patient_id"] = [f"r{i}" for i in range(len(table))]
    table[["record_id", "patient_id"]] = table[["record_id", "patient_id"]].astype("str")
    protected = summarise([("a", site_answer(table, None, Policy(minimum_cell=3)))])
    exact = summarise([("a", site_statistics(table))])
    assert protected.values["age"] == exact.values["age"]
    assert protected.values["sex"] == exact.values["sex"]
    assert protected.classes["icdr"] == exact.classes["icdr"]


def test_merged_cells_still_give_a_standardisation_close_to_the_true_one() -> None:
    draw = np.random.default_rng(3)
    rows = [
        {
            "age": float(np.clip(round(draw.normal(58, 15)), 5, 95)),
            "diabetes_duration": float(min(60, round(draw.gamma(2, 6)))),
            "insulin": float(draw.random() < 0.15),
            "icdr": int(draw.choice(5, p=[0.7, 0.1, 0.1, 0.06, 0.04])),
            "split": "train",
        }
        for _ in range(900)
    ]
    table = records(rows)
    sites = [table.iloc[:60], table.iloc[60:300], table.iloc[300:]]
    protected = summarise((str(i), site_answer(s, None, Policy())) for i, s in enumerate(sites))
    for name in ("age", "diabetes_duration"):
        value, true = protected.values[name], table[name]
        assert not value.exact
        assert value.n == 900
        assert value.mean == pytest.approx(true.mean(), abs=0.6)
        assert math.sqrt(value.variance) == pytest.approx(true.std(), rel=0.07)
        assert value.median == pytest.approx(true.median(), abs=1)
    assert protected.values["insulin"].mean == pytest.approx(table["insulin"].mean(), abs=0.05)
    shares = np.array(protected.classes["icdr"].counts) / 900
    assert shares == pytest.approx(table["icdr"].value_counts(normalize=True).sort_index(), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.lists(FULL_ROW, min_size=12, max_size=40), st.integers(2, 4), st.randoms())
def test_merged_answers_pool_alike_in_any_order(
    rows: list[dict[str, Any]], minimum: int, order: random.Random
) -> None:
    table = records([row | {"split": "train"} for row in rows])
    answers = [(str(i), site_answer(table.iloc[i::3], None, Policy(minimum_cell=minimum))) for i in range(3)]
    pooled = summarise(answers)
    order.shuffle(answers)
    assert summarise(answers) == pooled
    assert all(
        math.isfinite(value) for value in (*pooled.standardisation().mean, *pooled.standardisation().std)
    )
    assert Standardisation.from_dict(json.loads(json.dumps(pooled.standardisation().to_dict())))


def test_the_pooled_statistics_are_printed_with_what_was_not_told() -> None:
    table = records([{"age": 50.0, "sex": 1.0, "icdr": 2, "split": "train"}] * 12)
    pooled = summarise(
        [
            ("north", site_statistics(table)),
            ("south", site_answer(table, None, Policy(5, frozenset({"grades"})))),
        ]
    )
    text = pooled.render()
    assert "sites 2, training photographs 12, patients 12 (not told by 1 of 2 sites)" in text
    assert "icdr" in text
    assert "not told by south: " in text
    assert "(the site's policy does not answer this)" in text
    assert json.loads(json.dumps(pooled.to_dict()))["values"]["age"]["mean"] == 50.0


def test_a_flag_that_nobody_divides_is_imputed_as_neither_value() -> None:
    rows = [{"diabetes": float(i > 2), "finding_scar": float(i == 0), "split": "train"} for i in range(40)]
    merged = site_answer(records(rows), None, Policy(minimum_cell=10))
    alone = summarise([("a", merged)])
    assert (alone.values["diabetes"].n, alone.values["diabetes"].mode) == (40, 0.5)
    values, _ = alone.standardisation().apply(records([{"age": 40.0}]))
    assert values[0, STRUCTURED.index("diabetes")] == 0
    assert not alone.findings["scar"].divided
    assert "not told" in next(line for line in alone.render().splitlines() if line.startswith("scar"))
    told = summarise([("a", merged), ("b", site_statistics(records(rows)))])
    assert told.values["diabetes"].mode == 1.0
    assert told.values["diabetes"].mean == pytest.approx(37 / 40)  # a's table is divided as b's
    assert told.findings["scar"].divided
