"""`fedfundus-simulate exchange-study`: every way is trained from one public start, and its bytes are counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simulations import public_start
from simulations.exchange_study import WAYS
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
QUICK = (
    "model.image={size=32, width=16, depth=2, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=1}",
    "training.local_steps=1",
    "evaluation={comparison=false, resamples=20, batch_size=16}",
    "runtime.jobs=1",
)


def test_every_way_is_compared(
    command: Command, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_start, "PICTURES", 32)
    monkeypatch.setattr(public_start, "EPOCHS", 1)
    out = tmp_path / "out"
    asked = ["exchange-study", "--data", synthetic, "--out", out, "--json", "--rounds", 2, "--seeds", 1]
    shown = command(*asked, *(part for item in QUICK for part in ("--set", item)))
    assert shown.code == 0, shown.err
    document = json.loads(shown.out)
    assert document["failed"] == {}
    ways = {row["way"]: row for row in document["ways"]}
    assert list(ways) == list(WAYS)
    plain, packed, both, last, everything = ways.values()
    assert plain["up"] == pytest.approx(plain["down"], rel=0.01)
    assert 0.2 * plain["up"] < packed["up"] < 0.35 * plain["up"]
    assert 0.4 * plain["down"] < packed["down"] < 0.6 * plain["down"]
    assert both["down"] < packed["down"]
    assert last["up"] < everything["up"] < both["up"]
    assert all(len(row["by_seed"]) == 1 for row in ways.values())
    text = (out / "exchange-study.md").read_text()
    assert all(f"| {name} |" in text for name in WAYS)
