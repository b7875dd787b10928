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

from client.statistics.policy import OPEN, Policy
from client.statistics.site_answer import site_answer
from shared_model.errors import DataError
from shared_model.records import FINDINGS, STRUCTURED, TASKS, build
from shared_model.statistics import SiteStatistics, Standardisation, pool, summarise

YEARS = st.one_of(st.none(), st.integers(0, 120).map(float))
FLAG = st.sampled_from([0.0, 1.0, None])
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


def site_statistics(table: pd.DataFrame) -> dict[str, Any]:
    return site_answer(table, None, OPEN)


def records(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = [f"r{i}" for i in range(len(rows))]
    columns = {name: [row.get(name) for row in rows] for name in {name for row in rows for name in row}}
    columns.pop("patient", None)
    return build({"record_id": names, "patient_id": names, "image_path": names, **columns})


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


def test_no_answer_at_all_standardises_nothing() -> None:
    standardisation = pool([])
    assert standardisation.available == (False,) * 6
    assert standardisation.image_mean == (0.0,) * 3
    assert standardisation.image_std == (1.0,) * 3


def test_message_and_standardisation_survive_json_bit_for_bit() -> None:
    table = records([{"age": 20.1, "sex": 1.0, "icdr": 2, "split": "train"}, {"age": 33.3, "split": "train"}])
    message = site_statistics(table)
    assert SiteStatistics.from_dict(json.loads(json.dumps(message))).to_dict() == message
    standardisation = pool([message])
    again = Standardisation.from_dict(json.loads(json.dumps(standardisation.to_dict())))
    assert again == standardisation
    assert np.array_equal(again.apply(table)[0], standardisation.apply(table)[0])


def message() -> dict[str, Any]:
    return site_statistics(records([{"age": 20.0, "sex": 1.0, "icdr": 2, "split": "train"}]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.pop("years"),
        lambda m: m["years"]["age"]["counts"].__setitem__(20, -1),
        lambda m: m["years"]["age"]["counts"].__setitem__(20, 1.5),
        lambda m: m["years"]["age"].update(sum=float("nan")),
        lambda m: m["years"]["age"].update(sum_of_squares="many"),
        lambda m: m["years"]["age"].update(counts=[1]),
        lambda m: m["flags"].update(sex=[1, 2, 3]),
        lambda m: m["flags"].update(sex="12"),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, True),
        lambda m: m["classes"].update(icdr=None),
        lambda m: m["classes"]["icdr"].update(starts=[0, 2, 1, 3, 4]),
        lambda m: m["classes"]["icdr"].update(starts=[1, 2], counts=[0, 1]),
        lambda m: m["classes"]["icdr"].update(starts=[0, 5], counts=[0, 1]),
        lambda m: m["classes"]["icdr"].update(starts=[], counts=[]),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, 10**400),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, float("inf")),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, 7),
        lambda m: m["findings"].pop("scar"),
        lambda m: m["absent"].update(age="refused"),
        lambda m: m["absent"].pop("image_channels"),
        lambda m: m["absent"].update(image_channels="Joao has amd"),
        lambda m: m.update(absent=None),
        lambda m: m.update(patients=2),
        lambda m: m.update(notes=2),
        lambda m: m.update(epsilon=-1.0),
        lambda m: m.update(schema="unlike a fingerprint"),
        lambda m: m["years"]["age"].update(sum=1e9),
        lambda m: m.update(photographs={"pixels": 1, "sum": [2.0] * 3, "sum_of_squares": [0.0] * 3}),
        lambda m: m.update(photographs={"pixels": 1, "sum": [0.0], "sum_of_squares": [0.0] * 3}),
        lambda m: m.update(records="all"),
    ],
)
def test_an_answer_no_site_could_truthfully_send_is_refused(spoil: Any) -> None:
    answer = message()
    spoil(answer)
    with pytest.raises(DataError, match="cannot be understood") as caught:
        pool([answer])
    assert caught.value.where == "round 0, site 000000"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("mean"),
        lambda d: d.update(std=[0.0] * 6),
        lambda d: d.update(image_std=[1.0, 1.0]),
        lambda d: d.update(impute=[float("inf")] * 6),
        lambda d: d["class_counts"].pop("icdr"),
    ],
)
def test_a_malformed_standardisation_is_refused(spoil: Any) -> None:
    described = pool([message()]).to_dict()
    spoil(described)
    with pytest.raises(DataError, match="cannot be understood"):
        Standardisation.from_dict(described)


FULL_ROW = st.fixed_dictionaries(
    {
        "patient": st.integers(0, 15),
        "age": YEARS,
        "diabetes_duration": YEARS,
        **dict.fromkeys(("sex", "eye", "insulin", "diabetes", "finding_scar", "finding_other"), FLAG),
        "icdr": st.sampled_from([None, 0, 1, 2, 3, 4]),
        "sdrg": st.sampled_from([None, 0, 4]),
    }
)


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
