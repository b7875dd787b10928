from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.adapters import load
from client.data.duplicates import identical_photographs, patient_groups
from client.data.split import assign_splits, folds
from shared_model.errors import ConfigError, DataError
from shared_model.records import SPLITS, build


def records(patients: list[str], **columns: list[object]) -> pd.DataFrame:
    names = [f"r{i}" for i in range(len(patients))]
    return build({"record_id": names, "patient_id": patients, "image_path": names, **columns})


def sides(table: pd.DataFrame) -> dict[str, str]:
    by_patient = table.groupby("patient_id")["split"].agg(["nunique", "first"])
    assert (by_patient["nunique"] == 1).all()
    return by_patient["first"].to_dict()


def test_patients_are_kept_whole_and_split_as_asked() -> None:
    table = assign_splits(records([str(i // 2) for i in range(10_000)]), seed=0)
    counts = pd.Series(sides(table)).value_counts(normalize=True)
    assert [counts[split] for split in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.015)


def test_the_split_follows_from_the_seed() -> None:
    table = records([str(i) for i in range(200)])
    once, again, other = (sides(assign_splits(table, seed=seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(40)), st.sets(st.integers(100, 200)))
def test_other_patients_and_another_order_move_nobody(order: list[int], more: set[int]) -> None:
    alone = sides(assign_splits(records([str(i) for i in range(40)]), seed=3))
    together = sides(assign_splits(records([str(i) for i in [*more, *order]]), seed=3))
    assert alone.items() <= together.items()


def test_patients_who_share_a_photograph_through_any_chain_are_on_one_side() -> None:
    table = records(["a", "b", "c", "d", "b", "c"])
    digests = dict(zip(table["record_id"], ["1", "1", "2", "9", "2", "8"], strict=True))
    assert patient_groups(table, digests) == {"a": "a", "b": "a", "c": "a", "d": "d"}
    for seed in range(20):
        found = sides(assign_splits(table, seed=seed, digests=digests))
        assert found["a"] == found["b"] == found["c"]


def test_a_fixed_split_is_kept_and_drawn_to_those_who_share_its_photograph() -> None:
    table = records(["a", "b", "c"], split=["test", None, None])
    digests = {"r0": "1", "r1": "1", "r2": "2"}
    for seed in range(10):
        found = sides(assign_splits(table, seed=seed, digests=digests))
        assert found["a"] == found["b"] == "test"


def test_a_group_fixed_to_two_sides_is_refused() -> None:
    table = records(["a", "b"], split=["test", "train"])
    with pytest.raises(DataError, match="fixed to two sides"):
        assign_splits(table, seed=0, digests={"r0": "1", "r1": "1"})


def test_absent_photographs_have_no_twins() -> None:
    assert identical_photographs(records(["a", "b"])) == []


def test_files_are_compared_by_their_bytes(tmp_path: Path) -> None:
    names = []
    for name, content in (("x", b"same"), ("y", b"same"), ("z", b"diff"), ("w", b"longer")):
        (tmp_path / name).write_bytes(content)
        names.append(str(tmp_path / name))
    table = build(
        {"record_id": ["x", "y", "z", "w"], "patient_id": ["1", "2", "3", "4"], "image_path": names}
    )
    assert identical_photographs(table) == [["x", "y"]]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 7), st.integers(0, 5))
def test_folds_are_alike_in_size_and_grade_and_keep_patients_whole(k: int, seed: int) -> None:
    grades = [i % 5 for i in range(70)]
    table = records([str(i // 2) for i in range(70)], icdr=grades)
    found = folds(table, k, seed)
    assert set(found) == set(range(k))
    assert pd.Series(found).groupby(table["patient_id"].to_numpy()).nunique().max() == 1
    highest = table.assign(fold=found).groupby("patient_id")[["icdr", "fold"]].max()
    spread = pd.crosstab(highest["fold"], highest["icdr"])
    assert (spread.max() - spread.min()).max() <= 1


@pytest.mark.parametrize("k", [1, 4])
def test_folds_that_cannot_be_filled_are_refused(k: int) -> None:
    with pytest.raises(ConfigError, match="of 3 patients"):
        folds(records(["a", "b", "c"]), k, 0)


def test_idrids_six_identical_pairs_are_found_and_never_torn_apart(idrid: Path) -> None:
    table = load(idrid).table
    pairs = identical_photographs(table)
    assert len(pairs) == 6
    assert ["idrid_test_064", "idrid_train_118"] in pairs
    assert ["idrid_train_028", "idrid_train_327"] in pairs
    row_of = {record: row for row, record in enumerate(table["record_id"])}
    for seed in range(10):
        split = assign_splits(table, seed=seed)["split"].to_numpy()
        fold = folds(table, 5, seed)
        for first, second in pairs:
            assert split[row_of[first]] == split[row_of[second]]
            assert fold[row_of[first]] == fold[row_of[second]]
        assert np.ptp(np.bincount(fold)) <= 7
