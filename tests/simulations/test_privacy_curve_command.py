"""`fedfundus-simulate privacy-curve`: every budget beside the model without privacy and the most frequent grade."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model.config import load_config
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.private_training import require_private
from simulations.privacy_curve import MAJORITY, PLAIN, as_markdown, plain, private
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
QUICK = (
    "model.image={size=32, width=16, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "training.local_steps=1",
    "evaluation={comparison=false, resamples=20, batch_size=16}",
    "runtime.jobs=1",
)


def test_budgets_are_compared_and_a_second_call_trains_nothing(
    command: Command, synthetic: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = ["privacy-curve", "--data", synthetic, "--epsilons", "20,2", "--seeds", 1, "--rounds", 1]
    asked += ["--no-public-start", "--out", out, *(part for item in QUICK for part in ("--set", item))]
    shown = command(*asked, "--json")
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    rows = {row["model"]: row for row in document["rows"]}
    assert list(rows) == [MAJORITY, PLAIN, "epsilon 2", "epsilon 20"]
    assert [row["epsilon"] for row in rows.values()] == [None, None, 2.0, 20.0]
    assert rows[MAJORITY]["figures"][0]["value"] == 0.0
    assert not document["failed"]
    assert (document["delta"], document["parameters"]["trainable"] > 0) == (1e-5, True)
    assert (out / "privacy-curve.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "privacy-curve.md").read_text() == as_markdown(document)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    assert command(*asked).code == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("result.json")} == before


def test_a_model_without_privacy_sees_as_many_photographs() -> None:
    config = load_config("private-tiny")
    assert private(config, 3.0).privacy.epsilon == 3.0
    assert private(config, 3.0).privacy.seeded
    found = plain(config, visits=320.0)
    assert not found.privacy.enabled
    assert found.training.local_steps == config.training.local_steps * 10
    assert found.model == config.model


@pytest.mark.parametrize("budgets", ["", "a", "0", "1,200", "nan"])
def test_budgets_that_are_none_are_refused(budgets: str, command: Command, synthetic: Path) -> None:
    shown = command("privacy-curve", "--data", synthetic, "--epsilons", budgets)
    assert shown.code == 2
    assert "--epsilons" in shown.err


def test_the_small_preset_can_be_trained_privately_and_trains_little() -> None:
    config = load_config("private-tiny")
    objective = Objective(build_model(config.model, seed=0), config.losses)
    require_private(config, objective)
    trained = [name for name, parameter in objective.named_parameters() if parameter.requires_grad]
    assert not any("decoder" in name or "text_encoder" in name for name in trained)
    assert load_config("private").model.image.frozen_blocks == 12
