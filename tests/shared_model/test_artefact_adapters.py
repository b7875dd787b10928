"""A model folder of a model with adapters: read back as it was, by the same inference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from client.data.dataset import SiteDataset
from client.data.images import PIPELINE_VERSION
from client.inference.predict import predict
from shared_model.artefact import load_artefact, save_artefact
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.statistics import Standardisation

ADAPTED = (
    "model.image.depth=2",
    "model.image.frozen_blocks=1",
    "model.text.depth=2",
    "model.text.frozen_blocks=1",
    "model.text.freeze_embeddings=true",
    "model.adapters.rank=4",
)


@pytest.mark.parametrize("blocks", ["last", "all"])
def test_a_loaded_model_with_adapters_predicts_what_the_saved_one_did(
    blocks: str,
    tmp_path: Path,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    dataset: SiteDataset,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    overrides = (*ADAPTED, f"model.adapters.blocks='{blocks}'")
    objective = small_objective(*overrides, seed=3).eval()
    with torch.no_grad():
        for name, parameter in objective.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    folder = tmp_path / "model"
    save_artefact(
        folder, objective, tokenizer, small_config(*overrides), standardisation.to_dict(), PIPELINE_VERSION
    )
    found = load_artefact(folder, PIPELINE_VERSION)
    a, b = (
        predict(model, dataset, np.arange(12), {}, mask_notes=True, batch_size=5)
        for model in (objective.model, found.model)
    )
    for task, by_input in a.probabilities.items():
        for given, probability in by_input.items():
            assert np.array_equal(probability, b.probabilities[task][given], equal_nan=True)
    for protocol, pair in a.embeddings.items():
        assert all(np.array_equal(array, b.embeddings[protocol][side]) for side, array in pair.items())

    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace(f'blocks = "{blocks}"', 'blocks = "none"'))
    with pytest.raises(DataError, match="another architecture"):
        load_artefact(folder, PIPELINE_VERSION)
