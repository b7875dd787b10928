from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.adapters import load
from client.data.images import build_image_store
from client.data.split import assign_splits
from client.statistics.policy import GROUPS, OPEN, Policy
from client.statistics.site_answer import restricted, site_answer
from shared_model.errors import ConfigError
from shared_model.statistics import pool, summarise

MakeRecords = Callable[..., pd.DataFrame]


def under(minimum: int) -> Policy:
    return Policy(minimum_cell=minimum)


def test_validation_and_test_patients_are_in_no_statistic(
    write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"patient_age": str(20 + i), "DR_ICDR": str(i % 5)} for i in range(40)]
    table = assign_splits(load(write_folder(rows)).table, seed=0)
    store, _ = build_image_store(table, tmp_path / "photos.npy", 16)
    train = table[table["split"] == "train"]
    assert 0 < len(train) < 40
    assert site_answer(table, store, OPEN) == site_answer(train, store, OPEN)
    others = table.assign(age=table["age"].where(table["split"] == "train", 99.0))
    assert site_answer(others, store, OPEN) == site_answer(table, store, OPEN)


def test_image_statistics_are_those_of_the_training_pixels(
    write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    table = assign_splits(load(write_folder([{} for _ in range(20)])).table, seed=0)
    store, _ = build_image_store(table, tmp_path / "photos.npy", 16)
    parts = [site_answer(table.iloc[:7], store, OPEN), site_answer(table.iloc[7:], store, OPEN)]
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
    answer = site_answer(table, store, OPEN)
    assert answer["records"] == 2
    assert answer["photographs"]["pixels"] == 16 * 16


def test_a_site_without_training_patients_answers_zeros(make_records: MakeRecords) -> None:
    answer = site_answer(make_records(3, "test", age=[50.0] * 3), None, OPEN)
    assert answer["records"] == answer["patients"] == answer["notes"] == 0
    assert sum(answer["years"]["age"]["counts"]) == 0
    assert pool([answer]).available == (False,) * 6


def test_cells_of_few_patients_join_their_neighbours(make_records: MakeRecords) -> None:
    ages, sexes, grades = [50.0] * 9 + [60.0] * 3, [1.0] * 2 + [0.0] * 10, [0] * 8 + [4] * 4
    table = make_records(12, age=ages, sex=sexes, icdr=grades)
    answer = site_answer(table, None, under(3))
    assert answer["flags"]["sex"] == {"starts": [0], "counts": [12]}
    assert answer["classes"]["icdr"] == {"starts": [0, 1], "counts": [8, 4]}
    assert answer["years"]["age"] == {
        "starts": [0, 51],
        "counts": [9, 3],
        "sum": None,
        "sum_of_squares": None,
    }
    assert answer["absent"]["sdrg"] == "too_few_patients"
    assert site_answer(table, None, under(4))["years"]["age"]["counts"] == [12]


def test_a_site_of_fewer_patients_than_the_minimum_tells_nothing(make_records: MakeRecords) -> None:
    answer = site_answer(make_records(9, age=[50.0] * 9, icdr=[1] * 9), None, under(10))
    assert answer["records"] is answer["patients"] is None
    assert set(answer["absent"].values()) == {"too_few_patients", "no_photographs"}
    assert not any(answer["years"].values())
    assert not any(answer["classes"].values())


def test_few_missing_values_are_hidden_among_values_held_back_the_same_ones_every_time(
    make_records: MakeRecords,
) -> None:
    sexes, insulin = [None, *[1.0, 0.0] * 20], [*[1.0, 0.0] * 20, None]
    table = make_records(41, sex=sexes, insulin=insulin)
    answer = site_answer(table, None, under(5), key=b"key")
    assert sum(answer["flags"]["sex"]["counts"]) == sum(answer["flags"]["insulin"]["counts"]) == 36
    shuffled = table.sample(frac=1, random_state=1)
    assert site_answer(shuffled, None, under(5), key=b"key") == answer
    splits = {
        tuple(site_answer(table, None, under(5), key=bytes([k]))["flags"]["sex"]["counts"]) for k in range(20)
    }
    assert len(splits) > 1  # whose values are held back depends on the secret alone
    assert sum(site_answer(table, None, OPEN)["flags"]["sex"]["counts"]) == 40


def test_what_the_policy_refuses_is_absent_and_said_so(make_records: MakeRecords) -> None:
    table = make_records(20, age=[50.0] * 20, icdr=[1] * 20, finding_scar=[1.0] * 20)
    for group in GROUPS:
        answer = site_answer(table, None, Policy(minimum_cell=0, answer=frozenset({group})))
        told = {name for name, why in answer["absent"].items() if why != "refused"}
        if group == "image_channels":
            assert told == {"image_channels"}
        assert (answer["records"] is None) == (group != "records")
        assert (answer["years"]["age"] is None) == (group != "structured")
        assert (answer["classes"]["icdr"] is None) == (group != "grades")
        assert (answer["findings"]["scar"] is None) == (group != "findings")
    pooled = summarise([("a", answer), ("b", site_answer(table, None, OPEN))])
    assert pooled.values["age"].n == 20
    assert not pooled.values["age"].exact
    assert pooled.absent["a"]["age"] == "refused"


def test_a_stored_answer_loses_what_the_policy_no_longer_answers(make_records: MakeRecords) -> None:
    answer = site_answer(make_records(30, age=[50.0] * 30, icdr=[1] * 30), None, under(5))
    fewer = Policy(5, frozenset({"grades"}))
    assert restricted(answer, under(5)) == answer
    assert restricted(answer, fewer) == site_answer(
        make_records(30, age=[50.0] * 30, icdr=[1] * 30), None, fewer
    )


def test_few_photographs_of_a_kind_do_not_tell_how_many_patients_there_are(make_records: MakeRecords) -> None:
    table = make_records(20)
    table.loc[1, "patient_id"] = table.loc[0, "patient_id"]
    assert site_answer(table, None, under(3))["absent"]["patients"] == "small_difference"
    table.loc[[3, 5, 7], "patient_id"] = table.loc[[2, 4, 6], "patient_id"].to_numpy()
    assert site_answer(table, None, under(3))["patients"] == 16


def test_an_unusable_policy_is_refused_by_name() -> None:
    for wrong in ({"answer": {"ages"}}, {"minimum_cell": -1}, {"epsilon": -1.0}, {"epsilon": float("nan")}):
        with pytest.raises(ConfigError, match=r"policy\."):
            Policy(**wrong)
