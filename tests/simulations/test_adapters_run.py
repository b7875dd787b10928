"""Whole federated runs of a model with adapters, packed in int8 both ways, and the evaluation of what comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.worker.simulated import ROOT_VARIABLE
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.exchange import shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from simulations.engines import run_engine
from simulations.prepare import Prepared
from tests.shared_model.test_artefact_adapters import ADAPTED

PACKED = "exchange={uplink='int8', downlink='int8'}"


@pytest.mark.parametrize("blocks", ["last", pytest.param("all", marks=pytest.mark.slow)])
def test_a_federated_run_moves_every_adapter_and_sends_nothing_of_the_encoders_besides(
    blocks: str,
    workspace: Callable[..., tuple[Path, Prepared]],
    small_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = small_config(
        *ADAPTED, PACKED, f"model.adapters.blocks='{blocks}'", "training.learning_rate=1e-3"
    )
    root, prepared = workspace(config)
    folder = RunFolder(root.with_name("run"))
    (folder.path / "config.toml").write_text(to_toml(config))
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    run_engine(config, folder.path, len(prepared.sites), lambda record: None)

    start = shared_tensors(Objective(build_model(config.model, seed=config.seed), config.losses))
    found = folder.load_weights("last")
    of_encoders = {name for name in found if name.split(".")[1] in ("image_encoder", "text_encoder")}
    assert len(of_encoders) == (20 if blocks == "last" else 40)
    for name in of_encoders:
        assert "lora_" in name
        assert not np.array_equal(start[name], found[name]), name
