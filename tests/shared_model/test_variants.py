"""Every named model of the comparison: built from configuration alone, trained and read by the same code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel

from client.data.dataset import SiteDataset
from client.inference.predict import predict
from shared_model.artefact import load_artefact, save_artefact
from shared_model.config import Config, load_config
from shared_model.config.variants import variants
from shared_model.errors import ConfigError, DataError
from shared_model.losses import Batch, Objective
from shared_model.metrics.predictions import INPUT_MODALITIES
from shared_model.model import Tokenizer, build_model, load_tokenizer
from shared_model.model.clip_model import ClipModel
from shared_model.records import MODALITIES
from shared_model.statistics import Standardisation
from tests.conftest import SMALL

MakeBatch = Callable[..., Batch]
# SMALL replaces whole sections, which would take a variant's own keys with it.
PARTS = (
    "model.image.size=64", "model.image.width=32", "model.image.depth=1", "model.image.heads=2",
    "model.text.width=32", "model.text.depth=1", "model.text.heads=2", "model.text.maximum_tokens=48",
    "model.fusion.width=32", "model.fusion.heads=2", "model.fusion.joint=32",
    "model.decoders.image_channels=[8, 8, 8]", "model.decoders.text_heads=2",
)  # fmt: skip


def small(variant: str, *overrides: str) -> Config:
    training = [item for item in SMALL if not item.startswith("model.")]
    return load_config("tiny", variant=variant, overrides=[*training, *PARTS, *overrides])


def without_unread(batch: Batch, config: Config) -> Batch:
    for name in MODALITIES:
        if name not in config.model.inputs:
            batch.present[name][:] = False
    return batch


@pytest.mark.parametrize("name", variants())
def test_every_variant_learns_from_a_batch(name: str, make_batch: MakeBatch) -> None:
    config = small(name)
    objective = Objective(build_model(config.model), config.losses)
    total, losses = objective(without_unread(make_batch(), config))
    total.backward()
    assert "grading" in losses
    assert torch.isfinite(total)
    trained = {n.split(".")[1] for n, p in objective.named_parameters() if p.grad is not None}
    assert {"heads", "joint_projection"} <= trained


@pytest.mark.parametrize("name", variants())
def test_every_variant_is_read_by_the_same_evaluation(
    name: str, dataset: SiteDataset, standardisation: Standardisation, tokenizer: Tokenizer
) -> None:
    config = small(name)
    reading = SiteDataset(
        dataset.table, dataset._images, tokenizer, standardisation.reading(config.model.inputs)
    )
    rows = np.flatnonzero(reading.readable())[:12]
    found = predict(build_model(config.model), reading, rows, {}, mask_notes=True, batch_size=8)
    for given, modalities in INPUT_MODALITIES.items():
        graded = np.isfinite(found.probabilities["icdr"][given]).any()
        assert graded == (set(modalities) <= set(config.model.inputs)), given
    assert np.isfinite(found.probabilities["icdr"]["all"]).all()
    assert (found.note >= 0).any() == ("text" in config.model.inputs)


def test_what_a_model_does_not_read_is_not_built() -> None:
    vision = build_model(small("vision").model)
    names = {name.split(".")[0] for name, _ in vision.named_parameters()}
    assert not names & {
        "text_encoder",
        "structured_encoder",
        "text_decoder",
        "image_decoder",
        "text_projection",
    }
    assert vision.origin == {"image": "random weights"}
    with pytest.raises(DataError, match="give image"):
        vision.encode(structured=torch.zeros(2, 6))


def test_ablations_differ_by_their_losses_alone() -> None:
    wanted = {
        name: Objective(build_model(small(name).model), small(name).losses).wanted
        for name in ("classification", "contrastive", "reconstruction", "full")
    }
    assert wanted["classification"] == {"grading"}
    assert wanted["classification"] < wanted["contrastive"] < wanted["reconstruction"] == wanted["full"]
    models = [small(name).model for name in ("classification", "contrastive", "reconstruction")]
    assert (
        len({model.model_copy(update={"decoders": None, "local": ()}).model_dump_json() for model in models})
        == 1
    )


def test_the_published_protocol_has_both_leaks_and_full_has_neither() -> None:
    losses = [load_config("paper", variant=name).losses for name in ("published", "full")]
    assert [one.contrastive_source for one in losses] == ["paired", "unimodal"]
    assert [one.mask_notes for one in losses] == [False, True]
    assert {one.weighting for one in losses} == {"softmax"}


def test_clip_at_full_size_is_vit_b_32() -> None:
    config = load_config("paper", variant="clip").model
    with torch.device("meta"):
        model = ClipModel(config)
    assert sum(p.numel() for p in model.clip.parameters()) == 151_277_313  # openai/clip-vit-base-patch32


def test_clips_towers_never_read_each_other(make_batch: MakeBatch) -> None:
    model = build_model(small("clip").model).eval()
    batch = make_batch()
    image, text = model.embed_image(batch.image), model.embed_text(batch.note)
    together, alone = model.fuse({"image": image, "text": text}), model.fuse({"image": image})
    assert torch.equal(together.cls["image"], alone.cls["image"])
    assert not torch.equal(together.joint, alone.joint)


def test_clip_takes_a_folders_weights_and_shape(tmp_path: Path, tokenizer: Tokenizer) -> None:
    source = build_model(small("clip").model, seed=5)
    assert isinstance(source, ClipModel)
    source.clip.save_pretrained(tmp_path)
    tokenizer.backend.save_pretrained(tmp_path)
    found = build_model(small("clip", f"model.text.weights='{tmp_path}'", "model.pretrained=required").model)
    assert isinstance(found, ClipModel)
    assert all(
        torch.equal(a, b) for a, b in zip(source.clip.parameters(), found.clip.parameters(), strict=True)
    )
    assert set(found.origin.values()) == {f"pretrained, {tmp_path}"}
    assert isinstance(CLIPModel.from_pretrained(tmp_path), CLIPModel)
    wider = small("clip", f"model.text.weights='{tmp_path}'", "model.fusion.width=64")
    with pytest.raises(ConfigError, match="embeddings of 32"):
        build_model(wider.model)


@pytest.mark.parametrize("name", ["clip", "vision"])
def test_a_model_folder_of_a_variant_reads_back(
    name: str, tmp_path: Path, dataset: SiteDataset, standardisation: Standardisation
) -> None:
    config = small(name)
    objective = Objective(build_model(config.model, seed=2), config.losses)
    reading = standardisation.reading(config.model.inputs)
    tokenizer = load_tokenizer(objective.model)
    save_artefact(tmp_path / "model", objective, tokenizer, config, reading.to_dict(), "v")
    artefact = load_artefact(tmp_path / "model", "v")
    found = SiteDataset(dataset.table, dataset._images, artefact.tokenizer, artefact.standardisation)
    rows = np.arange(6)
    before = predict(objective.model, found, rows, {}, mask_notes=True, batch_size=6)
    after = predict(artefact.model, found, rows, {}, mask_notes=True, batch_size=6)
    assert np.array_equal(before.probabilities["icdr"]["all"], after.probabilities["icdr"]["all"])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.family=clip"], "reads image and text"),
        (["model.fusion.depth=0"], "one input only"),
        (["model.inputs=[]"], "at least 1 item"),
        (["model.inputs=['smell']"], "model.inputs"),
    ],
)
def test_combinations_that_make_no_model_are_named(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config("tiny", overrides=overrides)


def test_an_unknown_variant_lists_all() -> None:
    with pytest.raises(ConfigError, match=r"no variant 'clop'[\s\S]*clip_zero_shot"):
        load_config("tiny", variant="clop")
