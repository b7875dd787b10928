"""Building a model from its configuration, with pretrained encoders where they are found.

Weights come from a local folder or the hub's local cache, are checked by SHA-256 when the configuration names one,
and are never downloaded. `model.origin` says where each encoder's weights came from; a run prints it. Adapters come
last: the layers that they wrap have other names than their weights' files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from shared_model.config.schema import ImageEncoderConfig, ModelConfig, TextEncoderConfig
from shared_model.errors import ConfigError
from shared_model.model.adapters import add_adapters
from shared_model.model.clip_model import ClipModel
from shared_model.model.fusion_model import FusionModel
from shared_model.randomness import torch_seed

WEIGHTS_FILE = "model.safetensors"


def build_model(config: ModelConfig, *, pretrained: bool | None = None, seed: int = 0) -> FusionModel:
    """A fusion model, its new parts initialised from `seed` (the caller's random state is left alone).

    pretrained: True requires the encoders' weights (ConfigError where they are not found), False starts from random
    ones, None follows config.pretrained.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "initial-weights"))
        model = ClipModel(config) if config.family == "clip" else FusionModel(config)
    wanted = {None: config.pretrained, True: "required", False: "never"}[pretrained]
    if wanted != "never":
        _load_pretrained(model, required=wanted == "required")
    add_adapters(model, seed=seed)
    return model


def _load_pretrained(model: FusionModel, *, required: bool) -> None:
    config = model.config
    if isinstance(model, ClipModel):
        _load_clip(model, required=required)
        return
    if model.image_encoder is not None:
        _load_encoder(model, "image", model.image_encoder.vit, config.image, required=required)
    if model.text_encoder is not None:
        _load_encoder(model, "text", model.text_encoder.encoder, config.text, required=required)


def _load_clip(model: ClipModel, *, required: bool) -> None:
    """Both towers come from one folder, which has its own tokenizer."""
    text = model.config.text
    path, source = _find(text)
    if path is None:
        if required or text.weights:
            raise _no_weights("text", text.name)
        return
    _check_sha256(path, text.sha256, "model.text.sha256")
    model.load_pretrained(path.parent)
    model.origin = dict.fromkeys(model.origin, f"pretrained, {source}")
    model.text_source = source


def _load_encoder(
    model: FusionModel,
    kind: str,
    module: nn.Module,
    config: ImageEncoderConfig | TextEncoderConfig,
    *,
    required: bool,
) -> None:
    path, source = _find(config)
    if path is None:
        if required or config.weights:
            raise _no_weights(kind, config.name)
        return
    _check_sha256(path, config.sha256, f"model.{kind}.sha256")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"the weights cannot be read: {error}", where=str(path), fix="copy the file again"
        ) from None
    drop = ("head.", "fc_norm.") if kind == "image" else ("pooler.", "cls.")
    if kind == "text":
        prefixes = ("bert.", "model.", f"{getattr(module, 'base_model_prefix', 'bert')}.")
        tensors = {_encoder_name(name, prefixes): tensor for name, tensor in tensors.items()}
        model.text_source = str(source)
    _load(module, {name: t for name, t in tensors.items() if not name.startswith(drop)}, path)
    model.origin[kind] = f"pretrained, {source}"


def _no_weights(kind: str, name: str) -> ConfigError:
    return ConfigError(
        f"no pretrained weights for the {kind} encoder {name!r}",
        where=f"model.{kind}.weights",
        fix=f"give a folder with {WEIGHTS_FILE}, fill the hub cache beforehand, or set model.pretrained = "
        '"never" to start from random weights',
    )


def _find(config: ImageEncoderConfig | TextEncoderConfig) -> tuple[Path | None, str]:
    if config.weights:
        path = Path(config.weights) / WEIGHTS_FILE
        return (path if path.is_file() else None), config.weights
    repository = config.name if "/" in config.name else _timm_repository(config.name)
    if repository is None or config.width:
        return None, ""
    cached = try_to_load_from_cache(repository, WEIGHTS_FILE, cache_dir=os.environ.get("HF_HUB_CACHE"))
    return (Path(cached) if isinstance(cached, str) else None), repository


def _timm_repository(name: str) -> str | None:
    import timm

    pretrained: Any = timm.get_pretrained_cfg(name)
    return getattr(pretrained, "hf_hub_id", None)


def _check_sha256(path: Path, expected: str, key: str) -> None:
    if not expected:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected.lower():
        raise ConfigError(
            f"the weights are not the ones the configuration names (SHA-256 {found})",
            where=f"{key}, {path}",
            fix="get the right file, or correct the checksum if the change is intended",
        )


def _encoder_name(name: str, prefixes: tuple[str, ...]) -> str:
    """Names as the encoder has them: checkpoints of language models prefix them, old ones say gamma and beta."""
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _load(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    own = module.state_dict()
    missing = [name for name in own if name not in tensors and not name.endswith("position_ids")]
    wrong = [name for name in own if name in tensors and tensors[name].shape != own[name].shape]
    if missing or wrong:
        named = (missing or wrong)[0]
        raise ConfigError(
            f"the weights do not fit the encoder: {len(missing)} tensors missing, {len(wrong)} of another shape, "
            f"the first {named}",
            where=str(path),
            fix="use the weights of the encoder that the configuration names, at its image size",
        )
    module.load_state_dict({name: tensors[name] for name in own if name in tensors}, strict=False)
