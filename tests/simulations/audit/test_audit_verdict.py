"""The verdict: a refuted promise and an attack that finds nothing without protection are both told."""

from __future__ import annotations

from typing import Any

from simulations.audit import inversion, membership
from simulations.audit.verdict import verdict
from simulations.audit.views import ALL_SHARED


def _row(view: str, claim: float | None, epsilon: float) -> dict[str, Any]:
    return {
        "view": view,
        "kind": "planted patients",
        "mode": "prototypes",
        "claim": claim,
        "epsilon": epsilon,
        "right": 30,
        "guesses": 60,
    }


def test_all_is_well() -> None:
    rows = [_row(ALL_SHARED, None, 1.8), _row("epsilon 1", 1.0, 0.9)]
    assert verdict({"canaries": {"0": rows}}) == {"broken": [], "blind": []}


def test_a_bound_above_the_promise_is_broken() -> None:
    found = verdict({"canaries": {"3": [_row("epsilon 1", 1.0, 1.2)]}})
    assert "seed 3" in found["broken"][0]
    assert "1.20" in found["broken"][0]


def test_canaries_that_find_nothing_where_nothing_is_protected_are_blind() -> None:
    assert verdict({"canaries": {"0": [_row(ALL_SHARED, None, 0.7)]}})["blind"]


def test_a_membership_control_at_chance_is_blind() -> None:
    def found(low: float) -> dict[str, Any]:
        return {"0": {membership.CONTROL: {"grading": {"loss": {"auroc": {"low": low}}}}}}

    assert verdict({"membership": found(0.45)})["blind"]
    assert not verdict({"membership": found(0.7)})["blind"]


def test_an_inversion_control_no_better_than_the_mean_is_blind() -> None:
    row = {
        "view": inversion.CONTROL,
        "moment": "gradient",
        "photograph": {"psnr": 22.0, "mean": {"psnr": 21.0}},
        "notes": {"word embeddings": {"recall": 1.0, "recall_frequent": 0.5}},
    }
    assert "photograph" in verdict({"inversion": [row]})["blind"][0]
    row["photograph"] = {"psnr": 40.0, "mean": {"psnr": 21.0}}
    assert verdict({"inversion": [row]})["blind"] == []
