"""Low-rank adapters: where they stand, that they begin as nothing, that nothing else of the encoders is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from shared_model.config import Config, load_config
from shared_model.errors import ConfigError
from shared_model.exchange import parameter_kinds, trunk_fingerprint
from shared_model.losses import Batch, Objective
from shared_model.model import FusionModel, build_model
from shared_model.model.adapters import add_adapters

MakeObjective = Callable[..., Objective]
MakeBatch = Callable[..., Batch]
TWO_BLOCKS = (
    "model.image.depth=2",
    "model.image.stem=patch",
    "model.image.frozen_blocks=1",
    "model.text.depth=2",
    "model.text.frozen_blocks=1",
    "model.text.freeze_embeddings=true",
)
LAST = (*TWO_BLOCKS, "model.adapters={blocks='last', rank=4, alpha=8.0}")
ALL = (*TWO_BLOCKS, "model.adapters={blocks='all', rank=4, alpha=8.0}")
VIT = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
BERT = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "intermediate.dense", "output.dense",
)  # fmt: skip


def adapted(model: FusionModel) -> set[str]:
    return {name.removesuffix(".lora_A") for name, _ in model.named_modules() if name.endswith(".lora_A")}


def encoder_parameters(objective: Objective) -> dict[str, nn.Parameter]:
    prefixes = ("model.image_encoder.", "model.text_encoder.")
    return {name: p for name, p in objective.named_parameters() if name.startswith(prefixes)}


def give_values(objective: Objective) -> None:
    """Adapters as training might leave them, so that they say something."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in objective.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))


def outputs(model: FusionModel, batch: Batch) -> list[Tensor]:
    with torch.no_grad():
        encoding = model.eval().encode(batch.image, batch.note, batch.structured)
    return [encoding.joint, *encoding.cls.values(), *model.grade(encoding).values()]


@pytest.mark.parametrize(("overrides", "blocks"), [(LAST, [1]), (ALL, [0, 1])])
def test_every_linear_layer_of_the_chosen_blocks_is_adapted_and_no_other(
    overrides: tuple[str, ...], blocks: list[int], small_objective: MakeObjective
) -> None:
    model = small_objective(*overrides).model
    assert adapted(model) == {
        f"{place}.{block}.{layer}"
        for place, layers in (("image_encoder.vit.blocks", VIT), ("text_encoder.encoder.encoder.layer", BERT))
        for block in blocks
        for layer in layers
    }
    assert model.image_encoder is not None
    assert type(model.image_encoder.vit.patch_embed.proj) is nn.Conv2d  # also named `proj`


def test_many_layers_are_still_named_by_their_full_path(small_objective: MakeObjective) -> None:
    """peft shortens lists of twenty and more names."""
    model = small_objective(*ALL, "model.image.depth=7", "model.text.depth=5").model
    assert len(adapted(model)) == 7 * len(VIT) + 5 * len(BERT)
    assert not any("patch_embed" in name for name in adapted(model))


@pytest.mark.parametrize("overrides", [LAST, ALL])
def test_a_model_with_adapters_begins_as_the_one_without(
    overrides: tuple[str, ...], small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    plain, objective = small_objective(*TWO_BLOCKS), small_objective(*overrides)
    batch = make_batch()
    before, found = outputs(plain.model, batch), outputs(objective.model, batch)
    assert all(torch.equal(a, b) for a, b in zip(before, found, strict=True))
    give_values(objective)
    changed = outputs(objective.model, batch)
    assert not any(torch.equal(a, b) for a, b in zip(before[:3], changed[:3], strict=True))


@pytest.mark.parametrize("overrides", [LAST, ALL])
def test_of_the_encoders_adapters_alone_are_trained_and_travel(
    overrides: tuple[str, ...], small_objective: MakeObjective
) -> None:
    objective = small_objective(*overrides, "model.text.freeze_embeddings=false")
    kinds = parameter_kinds(objective)
    for name, parameter in encoder_parameters(objective).items():
        assert parameter.requires_grad == ("lora_" in name), name
        assert kinds[name] == ("shared" if "lora_" in name else "trunk")
    shared = {name.split(".")[1] for name, kind in kinds.items() if kind == "shared"}
    assert shared >= {"fusion", "heads", "joint_projection", "image_projection", "text_projection"}
    assert {name.split(".")[1] for name, kind in kinds.items() if kind == "local"} == {
        "image_decoder",
        "text_decoder",
    }


def test_a_trunk_stays_valid_below_adapters_on_the_last_blocks(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    plain, objective, batch = small_objective(*TWO_BLOCKS), small_objective(*LAST), make_batch()
    give_values(objective)
    image, text = objective.model.image_encoder, objective.model.text_encoder
    assert image is not None
    assert text is not None
    assert image.has_trunk
    assert text.has_trunk
    assert plain.model.image_encoder is not None
    features = image.trunk(batch.image)
    assert torch.equal(features, plain.model.image_encoder.trunk(batch.image))
    assert not torch.equal(image.finish(features), plain.model.image_encoder.finish(features))
    loss = objective(batch)[0]
    loss.backward()
    trained = [name for name, p in encoder_parameters(objective).items() if p.grad is not None]
    assert len(trained) == 2 * (len(VIT) + len(BERT))
    assert all("lora_" in name for name in trained)


def test_adapters_on_all_blocks_leave_no_trunk_and_every_one_is_trained(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective = small_objective(*ALL)
    assert objective.model.image_encoder is not None
    assert objective.model.text_encoder is not None
    assert not objective.model.image_encoder.has_trunk
    assert not objective.model.text_encoder.has_trunk
    assert all(module.training for module in objective.train().model.image_encoder.modules())
    give_values(objective)
    objective(make_batch())[0].backward()
    for name, parameter in encoder_parameters(objective).items():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == ("lora_" in name), name


@pytest.mark.parametrize("only_adapters", [False, True])
@pytest.mark.parametrize("overrides", [LAST, ALL])
def test_twenty_steps_lower_the_loss_and_move_no_frozen_weight(
    only_adapters: bool, overrides: tuple[str, ...], small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(*overrides), make_batch()
    fingerprint = trunk_fingerprint(objective)
    trained = [
        p for n, p in objective.named_parameters() if p.requires_grad and ("lora_" in n or not only_adapters)
    ]
    optimizer = torch.optim.AdamW(trained, lr=3e-3, weight_decay=0.05)
    losses = []
    for _ in range(20):
        loss = objective(batch)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.99 * losses[0] if only_adapters else losses[-1] < 0.8 * losses[0]
    assert trunk_fingerprint(objective) == fingerprint


def test_adapters_follow_the_seed_and_spare_the_callers_generator(
    small_config: Callable[..., Config],
) -> None:
    config = small_config(*LAST).model
    before = torch.random.get_rng_state()
    a, b, c = (build_model(config, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[name], b[name]) for name in a)
    first = next(name for name in a if "lora_A" in name)
    assert not torch.equal(a[first], c[first])


def test_pretrained_weights_are_below_the_adapters(
    tmp_path: Path, small_config: Callable[..., Config]
) -> None:
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=64, embed_dim=32, depth=2, num_heads=2, num_classes=7
    )
    (tmp_path / "vit").mkdir()
    save_file(vit.state_dict(), tmp_path / "vit" / "model.safetensors")
    shape = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    BertForMaskedLM(shape).save_pretrained(tmp_path / "bert")
    (tmp_path / "words.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nretina\nscar\n.")
    BertTokenizer(vocab=str(tmp_path / "words.txt"), do_lower_case=False).save_pretrained(tmp_path / "bert")
    config = small_config(
        "model.image={size=64, width=32, depth=2, heads=2, name='vit_tiny_patch16_224', frozen_blocks=1, "
        f"weights='{tmp_path / 'vit'}'}}",
        "model.text={maximum_tokens=16, kept_tokens=5, frozen_blocks=1, name='local/bert', "
        f"weights='{tmp_path / 'bert'}'}}",
        "model.adapters={blocks='last', rank=4}",
    )
    model = build_model(config.model, pretrained=True)
    assert model.image_encoder is not None
    assert model.text_encoder is not None
    for encoder, path, prefix in (
        (model.image_encoder.vit, tmp_path / "vit", ""),
        (model.text_encoder.encoder, tmp_path / "bert", "bert."),
    ):
        saved = load_file(path / "model.safetensors")
        found = {
            name.replace("base_layer.", ""): t
            for name, t in encoder.state_dict().items()
            if "lora_" not in name
        }
        assert all(torch.equal(tensor, saved[prefix + name]) for name, tensor in found.items())
    assert set(model.origin.values()) == {f"pretrained, {tmp_path / kind}" for kind in ("vit", "bert")}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.adapters={blocks='all', rank=0}"], r"rank 0 is no adapter[\s\S]*model\.adapters"),
        (["model.adapters.blocks='first'"], r"model\.adapters\.blocks"),
        (["model.adapters.dropout=1.0"], r"model\.adapters\.dropout"),
        (["model.adapters={blocks='all', alpha=0.0}"], r"model\.adapters\.alpha"),
        (
            ["model.adapters.blocks='last'", "model.image.frozen_blocks=1"],
            r"all 1 blocks of the image encoder[\s\S]*model\.image\.frozen_blocks",
        ),
        (
            ["model.adapters.blocks='last'", "model.text.frozen_blocks=1"],
            r"all 1 blocks of the text encoder[\s\S]*model\.text\.frozen_blocks",
        ),
        (["model.adapters={blocks='last', rank=32}"], r"rank 32[\s\S]*model\.adapters\.rank[\s\S]*1 to 31"),
        (
            ["model.adapters.blocks='last'", "model.family=clip", "model.inputs=['image', 'text']",
             "model.decoders.enabled=false", "losses.fixed={image_reconstruction=0, text_reconstruction=0}"],
            r'family "clip"[\s\S]*model\.adapters\.blocks',
        ),
    ],
)  # fmt: skip
def test_settings_that_make_no_adapter_are_named(
    overrides: list[str], words: str, small_config: Callable[..., Config]
) -> None:
    with pytest.raises(ConfigError, match=words):
        build_model(small_config(*overrides).model)


def test_blocks_without_a_linear_layer_are_named(small_config: Callable[..., Config]) -> None:
    config = small_config().model
    model = build_model(config)
    model.config = small_config("model.adapters.blocks='last'").model
    assert model.image_encoder is not None
    model.image_encoder.vit.blocks = nn.Sequential(nn.Conv1d(4, 4, 1))
    with pytest.raises(ConfigError, match=r"image encoder have no linear layers[\s\S]*model\.image\.name"):
        add_adapters(model)


def test_a_model_without_adapters_knows_nothing_of_them(small_objective: MakeObjective) -> None:
    assert not any("lora" in name or "base_layer" in name for name in small_objective().state_dict())


@pytest.mark.parametrize("preset", ["adapters", "adapters-all"])
def test_presets_keep_the_papers_model_but_for_how_encoders_are_trained(preset: str) -> None:
    config, paper = load_config(preset), load_config("paper")
    assert config.model.model_copy(update={"adapters": paper.model.adapters}) == paper.model
    assert (config.exchange.uplink, config.exchange.downlink) == ("int8", "int8")
