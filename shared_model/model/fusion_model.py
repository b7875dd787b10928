"""The fusion model: reads any subset of image, note and structured data, and gives a joint embedding and grades.

`encode` feeds fusion only what is present. That is what makes retrieval honest: the source paper reads image and
text vectors after both have attended to each other, and so retrieves pairs of pure noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from shared_model.config.schema import ModelConfig
from shared_model.errors import DataError
from shared_model.model.decoders import ImageDecoder, TextDecoder
from shared_model.model.image_encoder import ImageEncoder
from shared_model.model.structured_encoder import StructuredEncoder
from shared_model.model.text_encoder import TextEncoder
from shared_model.records import GRADES, MODALITIES, TASKS


class TextBatch(NamedTuple):
    """Token ids and their mask (1 = token, 0 = padding), both (B, L) int64."""

    ids: Tensor
    mask: Tensor


class Tokens(NamedTuple):
    """One modality ready for fusion: tokens (B, T, width), CLS first, and padding (B, T), True where to ignore."""

    tokens: Tensor
    padding: Tensor


@dataclass(frozen=True)
class Encoding:
    """What fusion gives. cls: modality to (B, width), only for modalities fed; joint: (B, joint width).

    Rows of `cls` belonging to a sample that lacks the modality carry no meaning; `present` says which.
    """

    cls: dict[str, Tensor]
    joint: Tensor
    present: dict[str, Tensor]  # modality -> (B,) bool


class FusionModel(nn.Module):
    """See the module's docstring; built by build_model from a ModelConfig."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        fusion = config.fusion
        self.config = config
        self.image_encoder = ImageEncoder(config.image)
        self.text_encoder = TextEncoder(config.text)
        self.structured_encoder = StructuredEncoder(config.structured, fusion.width)
        self.image_projection = nn.Linear(self.image_encoder.width, fusion.width)
        self.text_projection = nn.Linear(self.text_encoder.width, fusion.width)
        self.modality_type = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(fusion.width) * 0.02) for name in MODALITIES}
        )
        layer = nn.TransformerEncoderLayer(
            fusion.width,
            fusion.heads,
            fusion.feed_forward,
            dropout=fusion.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.fusion = nn.TransformerEncoder(
            layer, fusion.depth, norm=nn.LayerNorm(fusion.width), enable_nested_tensor=False
        )
        self.missing = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(fusion.width) * 0.02) for name in MODALITIES}
        )
        self.joint_projection = nn.Linear(len(MODALITIES) * fusion.width, fusion.joint)
        self.heads = nn.ModuleDict({task: nn.Linear(fusion.joint, GRADES) for task in TASKS})
        self.image_decoder: ImageDecoder | None = None
        self.text_decoder: TextDecoder | None = None
        if config.decoders.enabled:
            self.image_decoder = ImageDecoder(config.decoders, fusion.width, config.image.size)
            self.text_decoder = TextDecoder(
                config.decoders, fusion.width, self.text_encoder.vocabulary, config.text.maximum_tokens
            )
        self.origin: dict[str, str] = {"image": "random weights", "text": "random weights"}
        self.text_source: str | None = (
            None  # folder or hub name whose tokenizer fits; None is the packaged one
        )

    def embed_image(self, image: Tensor) -> Tokens:
        """Standardised photographs (B, 3, S, S) to projected tokens (B, 1 + (S/16)**2, width)."""
        tokens = self.image_projection(self.image_encoder(image)) + self.modality_type["image"]
        return Tokens(tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def embed_text(self, text: TextBatch) -> Tokens:
        """Notes (B, L) to projected tokens (B, min(L, 1 + kept), width)."""
        hidden = self.text_encoder(text.ids, text.mask)
        tokens = self.text_projection(hidden) + self.modality_type["text"]
        return Tokens(tokens, text.mask[:, : tokens.shape[1]] == 0)

    def embed_structured(self, structured: Tensor) -> Tokens:
        """Standardised values (B, 6) to tokens (B, 2, width)."""
        tokens = self.structured_encoder(structured) + self.modality_type["structured"]
        return Tokens(tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def fuse(self, embedded: Mapping[str, Tokens], present: Mapping[str, Tensor] | None = None) -> Encoding:
        """Joint encoding of the modalities given, in the order of MODALITIES.

        present: modality to (B,) bool for samples that lack one; absent keys mean present in all. A sample must
        have at least one (DataError).
        """
        names = [name for name in MODALITIES if name in embedded]
        if not names:
            raise DataError("nothing to encode", fix="give at least one of image, text and structured")
        here = {name: _presence(embedded[name].tokens, (present or {}).get(name)) for name in names}
        if not bool(torch.stack(list(here.values())).any(dim=0).all()):
            raise DataError(
                "a sample has no modality at all",
                fix="leave out records without image, note and structured data",
            )
        tokens = torch.cat([embedded[name].tokens for name in names], dim=1)  # (B, T, width)
        padding = torch.cat([embedded[name].padding | ~here[name].unsqueeze(1) for name in names], dim=1)
        fused = self.fusion(tokens, src_key_padding_mask=padding if bool(padding.any()) else None)
        cls, start = {}, 0
        for name in names:
            cls[name] = fused[:, start]
            start += embedded[name].tokens.shape[1]
        parts = [self._or_missing(name, cls, here, len(tokens)) for name in MODALITIES]
        return Encoding(cls, self.joint_projection(torch.cat(parts, dim=1)), here)

    def encode(
        self, image: Tensor | None = None, text: TextBatch | None = None, structured: Tensor | None = None
    ) -> Encoding:
        """Encode any subset of modalities: image (B, 3, S, S) standardised, text ids (B, L), structured (B, 6)."""
        embedded: dict[str, Tokens] = {}
        if image is not None:
            embedded["image"] = self.embed_image(image)
        if text is not None:
            embedded["text"] = self.embed_text(text)
        if structured is not None:
            embedded["structured"] = self.embed_structured(structured)
        return self.fuse(embedded)

    def grade(self, encoding: Encoding) -> dict[str, Tensor]:
        """Grade logits of each task, (B, 5)."""
        return {task: self.heads[task](encoding.joint) for task in TASKS}

    def _or_missing(
        self, name: str, cls: Mapping[str, Tensor], here: Mapping[str, Tensor], batch: int
    ) -> Tensor:
        stand_in: Tensor = self.missing[name].expand(batch, -1)
        if name not in cls:
            return stand_in
        return torch.where(here[name].unsqueeze(1), cls[name], stand_in)


def _presence(tokens: Tensor, present: Tensor | None) -> Tensor:
    if present is None:
        return torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
    return present
