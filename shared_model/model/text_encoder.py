"""Text encoder: any transformers encoder by name; Bio-ClinicalBERT's shape by default.

Only the first `kept_tokens` after CLS go on to fusion, as in the source paper; the encoder itself reads more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, BertConfig, BertModel
from transformers.masking_utils import create_bidirectional_mask

from shared_model.config.schema import DEFAULT_TEXT_HEADS, TextEncoderConfig
from shared_model.errors import ConfigError
from shared_model.model.encoder_errors import REFUSALS, naming_encoder_errors
from shared_model.model.freezing import freeze_blocks

BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"


class TextEncoder(nn.Module):
    """`forward`: token ids and mask (B, L) to tokens (B, min(L, 1 + kept_tokens), width), CLS first."""

    whole = False  # true: stock code's way, the frozen part within the rest

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        with naming_encoder_errors("model.text", config.name):
            self.encoder = _create(config)
            self.width = int(self.encoder.config.hidden_size)
            self.vocabulary = int(self.encoder.config.vocab_size)
        self.kept = 1 + config.kept_tokens
        self._name = config.name
        embeddings = getattr(self.encoder, "embeddings", None)
        self._frozen = freeze_blocks(
            [], _layers(self.encoder, config.name), config.frozen_blocks, key="model.text.frozen_blocks"
        )
        split = isinstance(self.encoder, BertModel) and config.freeze_embeddings
        self._trunk_blocks = config.frozen_blocks if split else 0
        if config.freeze_embeddings and embeddings is not None:
            embeddings.requires_grad_(False)
            self._frozen.append(embeddings)
        self.train()  # modules begin in training mode, the frozen part must not

    @property
    def has_trunk(self) -> bool:
        """Whether the frozen part can run apart from the rest: in a BERT whose embeddings are frozen too."""
        return self._trunk_blocks > 0 and not self.whole

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer's layers, the frozen ones first."""
        return list(_layers(self.encoder, self._name))

    def give_up_trunk(self) -> None:
        """Run whole, and in one mode, from now on: adapters within the frozen blocks are trained."""
        self._trunk_blocks, self._frozen = 0, []

    def train(self, mode: bool = True) -> TextEncoder:
        """As nn.Module.train, but for the frozen part."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, L) twice to (B, min(L, 1 + kept_tokens), width)."""
        if self.has_trunk:
            return self.finish(self.trunk(ids, mask), mask)
        hidden: Tensor = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden[:, : self.kept]

    @torch.no_grad()
    def trunk(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, L) twice to the features (B, L, width) that leave the last frozen layer."""
        hidden: Tensor = self.encoder.embeddings(input_ids=ids)
        return self._layers(hidden, mask, 0, self._trunk_blocks)

    def finish(self, features: Tensor, mask: Tensor) -> Tensor:
        """What `trunk` gave (B, L, width), through the trained layers: (B, min(L, 1 + kept_tokens), width)."""
        layers = len(self.encoder.encoder.layer)
        return self._layers(features, mask, self._trunk_blocks, layers)[:, : self.kept]

    def _layers(self, hidden: Tensor, mask: Tensor, first: int, end: int) -> Tensor:
        seen = create_bidirectional_mask(
            config=self.encoder.config, inputs_embeds=hidden, attention_mask=mask
        )
        for layer in self.encoder.encoder.layer[first:end]:
            hidden = layer(hidden, seen)
        return hidden


def _create(config: TextEncoderConfig) -> Any:
    if config.width:
        shape = BertConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.width,
            num_hidden_layers=config.depth or 2,
            num_attention_heads=config.heads or DEFAULT_TEXT_HEADS,
            intermediate_size=config.feed_forward or 4 * config.width,
            max_position_embeddings=max(512, config.maximum_tokens),
        )
        return BertModel(shape, add_pooling_layer=False)
    if config.weights:
        return _from_shape(_read_shape(config))
    if config.name == BIO_CLINICAL_BERT:  # its shape is known without asking a hub
        return BertModel(BertConfig(vocab_size=config.vocabulary), add_pooling_layer=False)
    try:
        return _from_shape(AutoConfig.from_pretrained(config.name, local_files_only=True))
    except OSError:
        raise ConfigError(
            f"the shape of text encoder {config.name!r} is not in the local hub cache",
            where="model.text.name",
            fix="put the model's folder in model.text.weights, or set model.text.width, depth, heads for a BERT",
        ) from None


def _read_shape(config: TextEncoderConfig) -> Any:
    folder = _folder(config)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except REFUSALS as error:
        raise ConfigError(
            f"the config.json of the text encoder cannot be read ({type(error).__name__})",
            where=f"model.text.weights = {config.weights}",
            fix="copy the folder again, or give one saved by transformers",
        ) from None


def _from_shape(shape: Any) -> Any:
    if shape.model_type == "bert":
        return BertModel(shape, add_pooling_layer=False)
    encoder = AutoModel.from_config(shape)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # never read here: it would travel untrained, and checkpoints often lack it
    return encoder


def _layers(encoder: Any, model: str) -> Any:
    """The encoder's transformer layers, wherever its family keeps them (BERT, DistilBERT, ModernBERT)."""
    places = [(getattr(encoder, name, None), "layer") for name in ("encoder", "transformer")]
    for holder, attribute in [*places, (encoder, "layers")]:
        if hasattr(holder, attribute):
            return getattr(holder, attribute)
    raise ConfigError(
        f"the layers of text encoder {model!r} cannot be found",
        where="model.text.name",
        fix="use an encoder of the BERT, RoBERTa, DistilBERT, ELECTRA or ModernBERT family",
    )


def _folder(config: TextEncoderConfig) -> Path:
    folder = Path(config.weights)
    if not (folder / "config.json").is_file():
        raise ConfigError(
            "the folder of the text encoder has no config.json",
            where=f"model.text.weights = {config.weights}",
            fix="give a folder saved by transformers (config.json, model.safetensors, tokenizer files)",
        )
    return folder
