"""AUROC and the rate at few false alarms of scores whose answer is known, and who is asked after."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from simulations.audit.membership import figures, rates, split


def test_perfect_scores_and_chance() -> None:
    member = np.arange(400) < 200
    perfect = figures(member.astype(float), member)
    assert perfect["auroc"]["value"] == perfect["tpr"]["value"] == 1.0
    assert perfect["chance"] < 1e-50
    random = figures(np.random.default_rng(0).random(400), member)
    assert random["chance"] > 0.01
    assert random["auroc"]["low"] < 0.5 < random["auroc"]["high"]
    assert random["auroc"]["low"] < random["auroc"]["value"] < random["auroc"]["high"]


def test_the_rate_is_taken_where_one_in_a_hundred_is_a_false_alarm() -> None:
    member = np.repeat([True, False], [100, 100])
    scores = np.concatenate([np.full(30, 5.0), np.full(70, 0.0), [6.0], np.full(99, 1.0)])
    assert rates(member, scores)[1] == pytest.approx(0.30)


def test_members_others_and_the_attackers_own_are_different_patients() -> None:
    table = pd.DataFrame(
        {
            "patient_id": [f"p{i // 2}" for i in range(80)],
            "split": ["train"] * 40 + ["validation"] * 8 + ["test"] * 32,
        }
    )
    found = split(table, {"site": sorted(set(table["patient_id"]))}, seed=0)["site"]
    roles = found.groupby("patient_id")["role"].agg(set)
    assert all(len(own) == 1 for own in roles), "a patient has one role"
    counts = roles.map(lambda own: next(iter(own))).value_counts()
    assert counts.to_dict() == {"train": 20, "out": 8, "reference": 8, "validation": 4}
