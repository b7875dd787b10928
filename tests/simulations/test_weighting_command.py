"""`fedfundus-simulate weighting`: every way is trained, and where the weight goes is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from client.training.optimizer import make_optimizer
from shared_model.config import Config, load_config
from shared_model.config.schema import LOSS_NAMES
from shared_model.losses import Objective
from simulations.experiments.study import STORE
from simulations.weighting import trajectory, weightings
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]


def test_every_weighting_is_compared(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    out = tmp_path / "out"
    quick = ("--rounds", 2, "--seeds", 1, "--set", "runtime.jobs=1", "--set", "training.local_steps=1")
    shown = command("weighting", "--data", synthetic, "--out", out, "--json", *small, *quick)
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    ways = {row["weighting"]: row for row in document["weightings"]}
    assert list(ways) == list(weightings(load_config("tiny")))
    for row in ways.values():
        assert {figure["name"] for figure in row["figures"]} >= {"validation ICDR kappa", "unimodal R@1, %"}
        assert list(row["shares"]) == ["1", "2"]
        assert all(sum(share.values()) == pytest.approx(1.0) for share in row["shares"].values())
    assert ways["fixed, the preset's"]["largest"] == "grading"
    assert not ways["fixed, the preset's"]["collapsed"]
    assert not (out / "work" / STORE).exists()
    text = (out / "weighting.md").read_text()
    assert all(f"| {name} |" in text for name in (*LOSS_NAMES, *ways))


def test_shares_are_means_over_seeds_by_round() -> None:
    def row(number: int, grading: float) -> dict[str, object]:
        return {"round": number, "loss_weights": {"grading": grading, "image_text": 1.0}}

    found = trajectory([[row(1, 1.0), row(2, 3.0)], [row(1, 1.0), row(2, 1.0)]])
    assert found[1]["grading"] == 0.5
    assert found[2]["grading"] == pytest.approx((0.75 + 0.5) / 2)
    assert found[2]["text_reconstruction"] == 0.0
    assert trajectory([[{"round": 0, "loss_weights": {}}]]) == {}


def test_learned_weights_can_move_faster_than_the_model(
    small_config: Callable[..., Config], small_objective: Callable[..., Objective]
) -> None:
    config = small_config("losses.weighting=softmax", "losses.weight_rate=12.0")
    objective = small_objective("losses.weighting=softmax", "losses.weight_rate=12.0")
    optimizer = make_optimizer(objective, config.training, 1e-3)
    rates = {group["lr"]: {id(p) for p in group["params"]} for group in optimizer.param_groups}
    assert rates[0.012] == {id(objective.weighting.alpha)}
    assert len(rates[1e-3]) == sum(1 for _ in objective.parameters()) - 1
