from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.adapters import load
from client.data.duplicates import identical_photographs
from client.data.split import assign_splits
from shared_model.errors import ConfigError, DataError
from shared_model.records import build
from simulations.partitions import KINDS, Partition, describe, partition


def records(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = [f"r{i}" for i in range(len(rows))]
    columns = {name: [row.get(name) for row in rows] for name in {name for row in rows for name in row}}
    return build({"record_id": names, "image_path": names, **columns})


def eyes(patients: int, **columns: Any) -> pd.DataFrame:
    """Two photographs a patient; columns: name -> value of patient i."""
    return records(
        [
            {"patient_id": str(i), **{n: f(i) for n, f in columns.items()}}
            for i in range(patients)
            for _ in "RL"
        ]
    )


MIXED = eyes(
    120,
    icdr=lambda i: i % 5,
    camera=lambda i: ["Canon CR", "NIKON NF5050", "NIKON NF5050"][i % 3],
    image_field=lambda i: float(i % 6 == 1),
)


def check_whole(table: pd.DataFrame, found: Partition) -> None:
    """Every patient at one site at most, no site empty, no record lost on the way."""
    placed = [patient for patients in found.sites.values() for patient in patients]
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(table["patient_id"])
    assert all(found.sites.values())
    tables = found.tables(table)
    assert sum(map(len, tables.values())) == table["patient_id"].isin(placed).sum()


@pytest.mark.parametrize("kind", KINDS)
def test_every_patient_is_at_one_site_whole(kind: str) -> None:
    found = partition(MIXED, kind)
    check_whole(MIXED, found)
    assert sum(map(len, found.sites.values())) == 120
    assert len(found.sites) == (2 if kind == "camera" else 3)


@pytest.mark.parametrize("kind", ["iid", "dirichlet"])
def test_random_kinds_follow_from_the_seed_and_not_from_the_order_of_rows(kind: str) -> None:
    first = partition(MIXED, kind, sites=4, seed=1)
    shuffled = MIXED.sample(frac=1, random_state=0).reset_index(drop=True)
    assert partition(shuffled, kind, sites=4, seed=1) == first
    assert partition(MIXED, kind, sites=4, seed=2) != first
    assert list(first.sites) == ["site-1", "site-2", "site-3", "site-4"]


def test_iid_sites_are_of_one_size() -> None:
    sizes = [len(patients) for patients in partition(MIXED, "iid", sites=7).sites.values()]
    assert max(sizes) - min(sizes) <= 1


def test_one_site_holds_everybody() -> None:
    for kind in ("iid", "dirichlet"):
        assert len(partition(MIXED, kind, sites=1).sites["site-1"]) == 120


def test_a_small_alpha_skews_the_grades_and_a_large_one_does_not() -> None:
    def skew(alpha: float) -> float:
        sites = describe(MIXED, partition(MIXED, "dirichlet", sites=3, alpha=alpha))["sites"]
        shares = np.array([site["icdr"] for site in sites.values()], dtype=float)
        shares /= shares.sum(axis=1, keepdims=True)
        return float(np.ptp(shares, axis=0).mean())

    assert skew(0.1) > 0.4
    assert skew(1000.0) < 0.1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 8),
    st.integers(0, 50),
    st.sampled_from([0.3, 0.5, 2.0]),
    st.sampled_from(["iid", "dirichlet"]),
)
def test_every_site_has_somebody_to_train_on(sites: int, seed: int, alpha: float, kind: str) -> None:
    table = MIXED.assign(
        split=MIXED["patient_id"].map(lambda p: "train" if int(p) < 60 else "test").astype("str")
    )
    found = partition(table, kind, sites=sites, seed=seed, alpha=alpha)
    check_whole(table, found)
    least = min(5, 60 // (2 * sites)) if kind == "dirichlet" else 60 // sites
    for records_of in found.tables(table).values():
        assert records_of.loc[records_of["split"] == "train", "patient_id"].nunique() >= least


def test_centres_come_from_the_column_and_are_named_after_it() -> None:
    table = eyes(9, center=lambda i: ["São Paulo 1", "Norte", "norte!"][i % 3])
    found = partition(table, "center", sites=3)
    assert list(found.sites) == ["norte", "sao-paulo-1", "norte-2"]
    assert found.sites["sao-paulo-1"] == ["0", "3", "6"]
    assert not found.proxy
    assert not found.notices


def test_patients_without_a_centre_take_no_part_and_are_said() -> None:
    table = eyes(9, center=lambda i: [None, "A", "B"][i % 3])
    found = partition(table, "center")
    assert sum(map(len, found.sites.values())) == 6
    assert any("3 patients have no center" in notice for notice in found.notices)


def test_a_patient_of_two_cameras_stays_whole_where_most_photographs_are() -> None:
    rows = [{"patient_id": "1", "camera": camera} for camera in ("B", "A", "B")] + [
        {"patient_id": "2", "camera": "A"}
    ]
    found = partition(records(rows), "camera")
    assert found.sites == {"a": ["2"], "b": ["1"]}
    assert any("1 patients" in notice and "several cameras" in notice for notice in found.notices)


def test_without_centres_the_three_proxies_stand_in_and_say_so_loudly() -> None:
    found = partition(MIXED, "center")
    assert found.proxy
    assert "NOT THE REAL CENTRES" in found.notices[0]
    assert list(found.sites) == ["proxy-canon", "proxy-nikon-field-2", "proxy-nikon-other"]
    cameras = {name: site["cameras"] for name, site in describe(MIXED, found)["sites"].items()}
    assert set(cameras["proxy-canon"]) == {"Canon CR"}
    assert set(cameras["proxy-nikon-other"]) == {"NIKON NF5050"}
    assert all(int(patient) % 6 == 1 for patient in found.sites["proxy-nikon-field-2"])


def test_proxies_are_refused_where_a_camera_is_lacking() -> None:
    with pytest.raises(DataError, match="names no centres") as caught:
        partition(eyes(9, camera=lambda i: "KOWA VX-10"), "center")
    assert "centers.csv" in caught.value.fix


@pytest.mark.parametrize("kind", ["center", "camera"])
def test_another_number_of_sites_than_the_data_has_is_refused_with_both(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"The data has [23] .*, not 5") as caught:
        partition(MIXED, kind, sites=5)
    assert "--sites 5" in caught.value.where


@pytest.mark.parametrize(
    ("kind", "options", "error", "words"),
    [
        ("hospital", {}, ConfigError, "no partition called 'hospital'"),
        ("iid", {"sites": 0}, ConfigError, "no number of sites"),
        ("iid", {"sites": 121}, DataError, "121 sites cannot share 120 patients"),
        ("dirichlet", {"alpha": 0.0}, ConfigError, "alpha is 0"),
        ("dirichlet", {"alpha": float("nan")}, ConfigError, "alpha is nan"),
        ("dirichlet", {"sites": 60, "alpha": 0.01}, DataError, "gives each of 60 sites at least 1 patients"),
    ],
)
def test_impossible_partitions_are_refused_in_words(
    kind: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        partition(MIXED, kind, **options)
    assert caught.value.fix  # type: ignore[attr-defined]
    if kind == "hospital":
        assert all(name in caught.value.fix for name in KINDS)  # type: ignore[attr-defined]


def test_more_sites_than_patients_to_train_on_is_refused() -> None:
    table = eyes(6).assign(split=["train"] * 4 + ["test"] * 8)
    with pytest.raises(DataError, match=r"Site site-[34] got no patient to train on"):
        partition(table.astype({"split": "str"}), "iid", sites=4)


def test_a_centre_without_training_patients_is_refused_by_name() -> None:
    table = eyes(4, center=lambda i: "AB"[i % 2], split=lambda i: ["train", "test"][i % 2])
    with pytest.raises(DataError, match="Site b got no patient to train on"):
        partition(table, "center")


@pytest.mark.parametrize("kind", ["center", "camera"])
@pytest.mark.parametrize("name", ["all", "All", " ALL! "])
def test_a_site_with_the_name_of_all_sites_together_is_refused(kind: str, name: str) -> None:
    table = eyes(6, **{kind: lambda i: [name, "Norte"][i % 2]})
    with pytest.raises(DataError, match=f"{kind} is called") as caught:
        partition(table, kind)
    assert repr(name) in caught.value.what
    assert caught.value.where == f"column {kind}"
    assert "all-1" in partition(eyes(6, center=lambda i: ["All 1", "Norte"][i % 2]), "center").sites


@pytest.mark.parametrize("kind", ["iid", "dirichlet", "camera", "center"])
def test_patients_who_share_a_photograph_are_at_one_site(kind: str) -> None:
    digests = {record: str(i // 6) for i, record in enumerate(MIXED["record_id"][:60])}
    found = partition(MIXED, kind, digests=digests)
    site_of = {patient: name for name, patients in found.sites.items() for patient in patients}
    for group in range(10):
        assert len({site_of[str(patient)] for patient in range(3 * group, 3 * group + 3)}) == 1


def test_the_description_counts_patients_images_grades_notes_and_cameras() -> None:
    table = records(
        [
            {"patient_id": "1", "split": "train", "icdr": 2, "note": "x", "camera": "A"},
            {"patient_id": "1", "split": "train", "icdr": 4, "sdrg": 1, "camera": "A"},
            {"patient_id": "2", "split": "test", "note": "x", "camera": "B"},
        ]
    )
    described = describe(table, Partition({"one": ["1", "2"]}, proxy=False, notices=["n"], kind="iid"))
    assert json.loads(json.dumps(described)) == {
        "kind": "iid",
        "proxy": False,
        "notices": ["n"],
        "sites": {
            "one": {
                "patients": {"train": 1, "validation": 0, "test": 1},
                "images": {"train": 2, "validation": 0, "test": 1},
                "icdr": [0, 0, 1, 0, 1],
                "sdrg": [0, 1, 0, 0, 0],
                "notes": 2,
                "cameras": {"A": 2, "B": 1},
            }
        },
    }


def test_idrids_identical_photographs_meet_at_one_site() -> None:
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "idrid"
    if not folder.is_dir():
        pytest.skip("the real photographs (../shared/data/idrid) are not on this machine")
    table = assign_splits(load(folder).table, seed=0)
    patient_of = dict(zip(table["record_id"], table["patient_id"], strict=True))
    for seed in range(5):
        found = partition(table, "dirichlet", sites=3, seed=seed)
        check_whole(table, found)
        site_of = {patient: name for name, patients in found.sites.items() for patient in patients}
        for first, second in identical_photographs(table):
            assert site_of[patient_of[first]] == site_of[patient_of[second]]
