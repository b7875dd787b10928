"""Low-rank adapters (LoRA, Hu et al. 2022) on the encoders, by peft: all that is trained and travels of them.

Every linear layer W of the chosen blocks gives W x + alpha / rank * B A x; W is frozen, A and B are trained. B begins
at zero, so that a model begins as the one without adapters. Layers are named to peft by their full path: by its last
part, `proj` of the attention would also name the patch embedding's.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from shared_model.config.adapters import AdaptersConfig
from shared_model.errors import ConfigError
from shared_model.model.fusion_model import FusionModel
from shared_model.randomness import torch_seed


def add_adapters(model: FusionModel, *, seed: int = 0) -> None:
    """Put the adapters that the model's configuration asks for into its encoders; nothing where it asks for none.

    Pretrained weights must be in place: adapted layers have other names. The caller's random state is left alone.
    Raises ConfigError naming the key where no block or no linear layer is there to adapt, or a rank saves nothing.
    """
    config = model.config
    if config.adapters.blocks == "none":
        return
    if (image := model.image_encoder) is not None:
        _adapt("image", image.vit, image.blocks, config.image.frozen_blocks, config.adapters, seed)
    if (text := model.text_encoder) is not None:
        _adapt("text", text.encoder, text.blocks, config.text.frozen_blocks, config.adapters, seed)
    if config.adapters.blocks == "all":
        for encoder in (model.image_encoder, model.text_encoder):
            if encoder is not None:
                encoder.give_up_trunk()


def _adapt(
    kind: str, encoder: nn.Module, blocks: Iterable[nn.Module], frozen: int, config: AdaptersConfig, seed: int
) -> None:
    from peft import LoraConfig, inject_adapter_in_model  # a second to load, for runs with adapters only

    chosen = list(blocks)[frozen if config.blocks == "last" else 0 :]
    if not chosen:
        raise ConfigError(
            f"all {frozen} blocks of the {kind} encoder are frozen, which leaves none for an adapter",
            where=f"model.{kind}.frozen_blocks, model.adapters.blocks",
            fix='freeze fewer blocks, or set model.adapters.blocks to "all"',
        )
    layers = _linear_layers(encoder, chosen)
    _require_adaptable(kind, layers, config.rank)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(layers),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "adapters", kind))
        inject_adapter_in_model(lora, encoder)  # which also freezes the encoder's own weights


def _linear_layers(encoder: nn.Module, blocks: Iterable[nn.Module]) -> dict[str, nn.Linear]:
    """Full path in the encoder -> layer. Not subclasses: those are often read by their weight and never called."""
    inside = {id(module) for block in blocks for module in block.modules()}
    return {
        name: module
        for name, module in encoder.named_modules()
        if id(module) in inside and type(module) is nn.Linear
    }


def _require_adaptable(kind: str, layers: dict[str, nn.Linear], rank: int) -> None:
    if not layers:
        raise ConfigError(
            f"the blocks of the {kind} encoder have no linear layers to adapt",
            where=f"model.{kind}.name, model.adapters.blocks",
            fix='use another encoder, or set model.adapters.blocks to "none"',
        )
    name, width = min(
        ((name, min(layer.in_features, layer.out_features)) for name, layer in layers.items()),
        key=lambda found: found[1],
    )
    if rank >= width:
        raise ConfigError(
            f"rank {rank} is not below the {width} numbers that {name} of the {kind} encoder gives or takes",
            where="model.adapters.rank",
            fix=f"use 1 to {width - 1}: an adapter of full rank is larger than the layer itself",
        )
