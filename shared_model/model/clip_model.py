"""CLIP as a baseline (Radford et al. 2021): transformers' CLIPModel behind the same calls as the fusion model.

Two towers never read each other, so that its paired and its unimodal vectors are one and the same: what the paper
compares its fusion with is a real retrieval system. Grades are read from both embeddings by linear heads, a learned
vector standing in for a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel

from shared_model.config.schema import ModelConfig
from shared_model.errors import ConfigError, DataError
from shared_model.model.encoder_errors import REFUSALS, naming_encoder_errors
from shared_model.model.freezing import freeze_blocks
from shared_model.model.fusion_model import Encoding, FusionModel, TextBatch, Tokens
from shared_model.records import GRADES, TASKS

PATCH = 32  # of ViT-B/32
SEP, CLS, PAD = 3, 2, 0  # of the packaged vocabulary: where CLIP reads a note's vector, and what it skips


class ClipModel(FusionModel):
    """`encode`, `fuse` and `grade` as the fusion model's; a modality's tokens are its one embedding, (B, 1, width)."""

    def __init__(self, config: ModelConfig) -> None:
        nn.Module.__init__(self)  # of the fusion model it has the calls, not the parts
        self.config = config
        width = config.fusion.width
        with naming_encoder_errors("model", config.text.name):
            self.clip: Any = CLIPModel(_shape(config))
        _require_fit(self.clip.config, config)
        self.clip.logit_scale.requires_grad_(False)  # the temperature is losses.temperature
        self._freeze(config)
        self.missing = nn.ParameterDict({name: nn.Parameter(torch.zeros(width)) for name in config.inputs})
        self.joint_projection = nn.Linear(len(config.inputs) * width, config.fusion.joint)
        self.heads = nn.ModuleDict({task: nn.Linear(config.fusion.joint, GRADES) for task in TASKS})
        self.image_decoder = None
        self.text_decoder = None
        self.origin = {"image": "random weights", "text": "random weights"}
        self.text_source = None

    def run_plainly(self, plain: bool) -> None:
        """Its towers know one way."""

    @property
    def vocabulary(self) -> int:
        """Tokens that the text tower knows."""
        return int(self.clip.config.text_config.vocab_size)

    def save_text_shape(self, folder: Path) -> None:
        """Write config.json of both towers."""
        self.clip.config.save_pretrained(folder)

    def load_pretrained(self, folder: Path) -> None:
        """Both towers' weights from a folder saved by transformers. ConfigError where they do not fit."""
        try:
            found, report = CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self.clip.load_state_dict(found.state_dict())
        except REFUSALS as error:
            raise _misfit(f"{type(error).__name__}", folder) from None
        if report["missing_keys"]:
            raise _misfit(f"{len(report['missing_keys'])} tensors missing", folder)

    def embed_image(self, image: Tensor, trunk: Tensor | None = None) -> Tokens:
        """Standardised photographs (B, 3, S, S) to their embedding (B, 1, width); its towers have no trunk apart."""
        return _one(self.clip.get_image_features(pixel_values=image).pooler_output)

    def embed_text(self, text: TextBatch) -> Tokens:
        """Notes (B, L) to their embedding (B, 1, width)."""
        found = self.clip.get_text_features(input_ids=text.ids, attention_mask=text.mask)
        return _one(found.pooler_output)

    def embed_structured(self, structured: Tensor) -> Tokens:
        """CLIP reads no form: a token to be ignored."""
        return self._unread(structured)

    def fuse(self, embedded: Mapping[str, Tokens], present: Mapping[str, Tensor] | None = None) -> Encoding:
        """As FusionModel.fuse; nothing is fused but the joint embedding that grades are read from."""
        names = self._read(embedded)
        first = embedded[names[0]].tokens
        here = {name: torch.zeros(len(first), dtype=torch.bool, device=first.device) for name in embedded}
        for name in names:
            given = (present or {}).get(name)
            here[name] = torch.ones_like(here[name]) if given is None else given
        if not bool(torch.stack([here[name] for name in names]).any(dim=0).all()):
            raise DataError("a sample has neither photograph nor note", fix="leave such records out")
        cls = {name: tokens.tokens[:, 0] for name, tokens in embedded.items()}
        parts = [self._or_missing(name, cls, here, len(first)) for name in self.config.inputs]
        return Encoding(cls, self.joint_projection(torch.cat(parts, dim=1)), here)

    def _freeze(self, config: ModelConfig) -> None:
        vision, text = self.clip.vision_model, self.clip.text_model
        stem = [vision.embeddings, vision.pre_layrnorm]
        freeze_blocks(
            stem, vision.encoder.layers, config.image.frozen_blocks, key="model.image.frozen_blocks"
        )
        freeze_blocks([], text.encoder.layers, config.text.frozen_blocks, key="model.text.frozen_blocks")
        if config.text.freeze_embeddings:
            text.embeddings.requires_grad_(False)


def _one(vector: Tensor) -> Tokens:
    """(B, width) as one token, none of it padding."""
    tokens = vector.unsqueeze(1)
    return Tokens(tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device))


def _shape(config: ModelConfig) -> CLIPConfig:
    """Of the weights' own folder where one is named; else ViT-B/32's, with whatever the configuration changes."""
    if config.text.weights:
        return CLIPConfig.from_pretrained(config.text.weights, local_files_only=True)
    image, text = config.image, config.text
    vision_sizes = {
        "hidden_size": image.width,
        "intermediate_size": 4 * image.width,
        "num_hidden_layers": image.depth,
        "num_attention_heads": image.heads,
        "image_size": image.size,
        "patch_size": image.patch or PATCH,
    }
    text_sizes = {
        "hidden_size": text.width,
        "intermediate_size": text.feed_forward or 4 * text.width,
        "num_hidden_layers": text.depth,
        "num_attention_heads": text.heads,
        "vocab_size": text.vocabulary,
        "max_position_embeddings": text.maximum_tokens,
    }
    ends = {"eos_token_id": SEP, "bos_token_id": CLS, "pad_token_id": PAD}
    return CLIPConfig(
        text_config={name: value for name, value in text_sizes.items() if value} | ends,
        vision_config={name: value for name, value in vision_sizes.items() if value},
        projection_dim=config.fusion.width,
    )


def _require_fit(shape: Any, config: ModelConfig) -> None:
    """A folder's shape must be the one that the configuration speaks of."""
    found = (shape.projection_dim, shape.vision_config.image_size)
    wanted = (config.fusion.width, config.image.size)
    if found != wanted:
        raise ConfigError(
            f"this CLIP has embeddings of {found[0]} for photographs of {found[1]} px, not {wanted[0]} and {wanted[1]}",
            where="model.fusion.width, model.image.size",
            fix="set them to the weights' own, or give other weights",
        )


def _misfit(why: str, folder: Path) -> ConfigError:
    return ConfigError(
        f"the weights do not fit this CLIP ({why})",
        where=str(folder),
        fix="give a folder saved by transformers' CLIPModel (config.json, model.safetensors, tokenizer files), and "
        "name it in model.text.weights so that its own shape is used",
    )
