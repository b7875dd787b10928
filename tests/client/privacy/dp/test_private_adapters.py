"""Private training of adapters: all of them are in the clipped and noised step, and nothing of the encoders besides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from client.privacy.dp.training import train_privately


@pytest.mark.parametrize("blocks", ["last", "all"])
@pytest.mark.parametrize("mode", ["prototypes", "groups"])
def test_every_adapter_is_noised_and_no_weight_below_one_moves(
    blocks: str, mode: str, make_training: Any, kit: SimpleNamespace
) -> None:
    generator = torch.Generator().manual_seed(1)
    records = [record for name in range(3) for record in kit.ordinary(f"p{name}", generator)]
    training = make_training(records, kit.plan(mode), f"model.adapters={{blocks='{blocks}', rank=4}}")
    before = {name: p.detach().clone() for name, p in training.objective.named_parameters()}
    train_privately(training, 0, 2)
    moved = {
        name for name, p in training.objective.named_parameters() if not torch.equal(p.detach(), before[name])
    }
    encoders = {name for name in before if name.split(".")[1] in ("image_encoder", "text_encoder")}
    assert moved & encoders == {name for name in encoders if "lora_" in name}
    assert len(moved & encoders) == 2 * (4 + 6)
