"""Canaries from end to end: what is promised holds, the controls find them, and the verdict says nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_model.command_line import errors
from shared_model.config import load_config
from shared_model.progress import RunProgress
from simulations.audit.canary_part import GRADIENTS, PATIENTS, UNSEEDED, CanaryPart
from simulations.audit.pieces import Pieces
from simulations.audit.sizes import Sizes
from simulations.audit.verdict import verdict
from simulations.audit.views import ALL_SHARED, NO_NOISE, private_config, views
from simulations.prepare import prepare
from simulations.synthesis.dataset import synthesize

SMALL = (
    "model.image.size=32",
    "model.image.width=32",
    "model.image.depth=1",
    "model.text.width=32",
    "model.fusion.width=32",
    "model.fusion.depth=1",
    "model.fusion.joint=32",
    "runtime.jobs=1",
)
SIZES = Sizes(planted=128, guesses=64, rounds=3, gradients=4000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_promises_hold_and_every_control_finds_its_canaries(tmp_path: Path) -> None:
    data = tmp_path / "data"
    synthesize(data, patients=60, test_patients=20, seed=4, processes=1)
    plain = ("model.decoders.image_channels=[8,8]", "model.image.frozen_blocks=0")
    base = load_config("tiny", overrides=[*SMALL, *plain])
    private = private_config("tiny", [*SMALL, "model.image.frozen_blocks=1"])
    private = private.model_copy(update={"runtime": base.runtime})
    prepared = prepare(data, base, tmp_path / "workspace")
    attacked = [view for view in views(base, private, [1.0, 8.0]) if view.name == ALL_SHARED or view.claim]
    with RunProgress(errors) as progress:
        pieces = Pieces(tmp_path / "pieces", "data")
        rows = CanaryPart(SIZES, prepared, pieces, tmp_path, 0, progress).attack(attacked)
    assert verdict({"canaries": {"0": rows}}) == {"broken": [], "blind": []}
    found = {(row["view"], row["kind"], row["mode"]): row for row in rows}
    assert found[ALL_SHARED, PATIENTS, None]["epsilon"] > 1.0
    assert found[NO_NOISE, PATIENTS, "prototypes"]["epsilon"] > 2.0
    for kind, mode in ((GRADIENTS, "prototypes"), (GRADIENTS, "groups"), (UNSEEDED, "prototypes")):
        row = found["epsilon 8", kind, mode]
        assert 2.0 < row["epsilon"] <= 8.0 < row["control"]
