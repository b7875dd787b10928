"""Which features a file holds: everything that decides them but the photograph and its draw, in one short name.

A file of another trunk, image pipeline, scale or precision has another name, so that none is ever taken for this one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from weakref import WeakKeyDictionary

import timm
import torch
import transformers
from torch import nn

from client.cache.feature_file import IMAGE, TEXT
from client.data.pipeline import PIPELINE_VERSION
from client.training.augmentation import DrawnAugmentations
from shared_model.config.schema import ImageEncoderConfig, TextEncoderConfig
from shared_model.statistics import Standardisation

_FORMAT = 2  # 1 could hold what a CUDA device had computed in TF32
_known: WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], str]] = WeakKeyDictionary()


def image_name(
    encoder: nn.Module,
    config: ImageEncoderConfig,
    standardisation: Standardisation,
    augmentations: DrawnAugmentations,
) -> str:
    """Of the features of photographs that are standardised and augmented so."""
    return _name(
        IMAGE,
        encoder,
        config,
        pipeline=PIPELINE_VERSION,
        mean=standardisation.image_mean,
        std=standardisation.image_std,
        augmentation=augmentations.config.model_dump(),
        seed=augmentations.seed,
    )


def text_name(encoder: nn.Module, config: TextEncoderConfig) -> str:
    """Of the features of notes, whatever tokenizer made them: their tokens are the key."""
    return _name(TEXT, encoder, config)


def trunk_of(encoder: nn.Module) -> str:
    """SHA-256 over the encoder's frozen tensors: name, shape, type and bytes; computed again where one has changed."""
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    frozen = {name: tensor for name, tensor in encoder.state_dict().items() if name not in trained}
    versions = tuple(tensor._version for tensor in frozen.values())
    known = _known.get(encoder)
    if known is not None and known[0] == versions:
        return known[1]
    digest = hashlib.sha256()
    for name, tensor in frozen.items():
        held = tensor.detach().cpu().contiguous()
        digest.update(f"{name}:{tuple(held.shape)}:{held.dtype};".encode())
        digest.update(held.reshape(-1).view(torch.uint8).numpy().data)
    _known[encoder] = versions, digest.hexdigest()
    return digest.hexdigest()


def _name(
    kind: str, encoder: nn.Module, config: ImageEncoderConfig | TextEncoderConfig, **further: Any
) -> str:
    described = {
        "format": _FORMAT,
        "trunk": trunk_of(encoder),
        "encoder": config.model_dump(exclude={"weights", "sha256"}),  # heads and size are in no tensor
        "kept as": "float16",
        # What computes the same tensors otherwise, and so need not give the same to the last bit.
        "libraries": [timm.__version__, transformers.__version__],
        **further,
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return f"{kind}-{digest[:32]}"
