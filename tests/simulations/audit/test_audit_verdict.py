"""The verdict: a refuted promise and an attack that finds nothing without protection are both told."""

from __future__ import annotations

from typing import Any

import pytest

from simulations.audit import inversion, membership
from simulations.audit.verdict import verdict
from simulations.audit.views import ALL_SHARED, NO_NOISE


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


@pytest.mark.parametrize("view", [ALL_SHARED, NO_NOISE])
def test_canaries_that_find_nothing_where_nothing_is_hidden_are_blind(view: str) -> None:
    assert verdict({"canaries": {"0": [_row(view, None, 0.7)]}})["blind"]
    assert not verdict({"canaries": {"0": [_row(view, None, 1.1)]}})["blind"]


def test_an_audit_that_without_noise_does_not_refute_the_claim_is_blind() -> None:
    row = _row("epsilon 8", 8.0, 2.2) | {"kind": "gradients"}
    assert verdict({"canaries": {"0": [row | {"control": 8.1}]}}) == {"broken": [], "blind": []}
    assert "5.00" in verdict({"canaries": {"0": [row | {"control": 5.0}]}})["blind"][0]


def test_a_membership_control_at_chance_is_blind() -> None:
    def found(chance: float) -> dict[str, Any]:
        own = {"loss": {"chance": chance}, "calibrated": {"chance": 1e-9}}
        return {"0": {membership.CONTROL: {"grading": own, "note reconstruction": own}}}

    assert verdict({"membership": found(0.002)})["blind"], (
        "no other signal makes up for the one chosen beforehand"
    )
    assert not verdict({"membership": found(1e-5)})["blind"]


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
