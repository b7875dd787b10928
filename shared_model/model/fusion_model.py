"""The fusion model: reads any subset of image, note and structured data, and gives a joint embedding and grades.

`encode` feeds fusion only what is present. That is what makes retrieval honest: the source paper reads image and
text vectors after both have attended to each other, and so retrieves pairs of pure noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from shared_model.config.schema import ModelConfig
from shared_model.errors import DataError
from shared_model.model.decoders import ImageDecoder, TextDecoder
from shared_model.model.fusion_transformer import FusionTransformer, fusion_transformer
from shared_model.model.image_encoder import ImageEncoder
from shared_model.model.structured_encoder import StructuredEncoder
from shared_model.model.text_encoder import TextEncoder
from shared_model.records import GRADES, MODALITIES, TASKS


class TextBatch(NamedTuple):
    """Token ids and their mask (1 = token, 0 = padding), both (B, L) int64.

    trunk: what the text encoder's frozen part gives of them (B, L, encoder width), where that is known already.
    """

    ids: Tensor
    mask: Tensor
    trunk: Tensor | None = None

    def to(self, device: str | torch.device) -> TextBatch:
        """The notes on a device."""
        trunk = None if self.trunk is None else moved_to(device, self.trunk)
        return TextBatch(moved_to(device, self.ids), moved_to(device, self.mask), trunk)


def moved_to(device: str | torch.device, tensor: Tensor) -> Tensor:
    """A tensor on a device; to CUDA through pinned memory, so that the copy need not be waited for."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


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
        self._build_encoders(config)
        self.modality_type = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(fusion.width) * 0.02) for name in MODALITIES}
        )
        self.fusion = fusion_transformer(fusion)
        self.missing = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(fusion.width) * 0.02) for name in MODALITIES}
        )
        self.joint_projection = nn.Linear(len(MODALITIES) * fusion.width, fusion.joint)
        self.heads = nn.ModuleDict({task: nn.Linear(fusion.joint, GRADES) for task in TASKS})
        self._build_decoders(config)
        self.origin: dict[str, str] = {
            name: "random weights" for name in ("image", "text") if name in config.inputs
        }
        self._repeats_notes = False
        self.text_source: str | None = (
            None  # folder or hub name whose tokenizer fits; None is the packaged one
        )

    def _build_encoders(self, config: ModelConfig) -> None:
        """An encoder and a projection for each input that is read; what is not read costs nothing."""
        reads, width = config.inputs, config.fusion.width
        self.image_encoder = ImageEncoder(config.image) if "image" in reads else None
        self.text_encoder = TextEncoder(config.text) if "text" in reads else None
        self.structured_encoder = (
            StructuredEncoder(config.structured, width) if "structured" in reads else None
        )
        self.image_projection = nn.Linear(self.image_encoder.width, width) if self.image_encoder else None
        self.text_projection = nn.Linear(self.text_encoder.width, width) if self.text_encoder else None

    def _build_decoders(self, config: ModelConfig) -> None:
        decoders, width = config.decoders, config.fusion.width
        self.image_decoder: ImageDecoder | None = None
        self.text_decoder: TextDecoder | None = None
        if decoders.enabled and self.image_encoder is not None:
            self.image_decoder = ImageDecoder(decoders, width, config.image.size)
        if decoders.enabled and self.text_encoder is not None:
            length = config.text.maximum_tokens
            self.text_decoder = TextDecoder(decoders, width, self.text_encoder.vocabulary, length)

    def run_plainly(self, plain: bool) -> None:
        """Whether to compute as stock code would: encoders whole, fusion by PyTorch's own layers on all tokens."""
        self._repeats_notes = plain
        for part in (self.image_encoder, self.text_encoder):
            if part is not None:
                part.whole = plain
        if isinstance(self.fusion, FusionTransformer):
            self.fusion.plain = plain

    @property
    def vocabulary(self) -> int:
        """Tokens that the text encoder knows; 0 for a model that reads no notes."""
        return 0 if self.text_encoder is None else self.text_encoder.vocabulary

    def save_text_shape(self, folder: Path) -> None:
        """Write the text encoder's config.json, from which it can be built again; nothing without one."""
        if self.text_encoder is not None:
            self.text_encoder.encoder.config.save_pretrained(folder)

    def nothing(self) -> Tensor:
        """A zero that depends on the trained parameters: the loss of a batch that supports none."""
        return torch.stack([parameter.sum() for parameter in self.heads.parameters()]).sum() * 0

    def embed_image(self, image: Tensor, trunk: Tensor | None = None) -> Tokens:
        """Standardised photographs (B, 3, S, S) to projected tokens (B, 1 + (S/16)**2, width).

        trunk: what the image encoder's frozen part gives of them, where that is known already.
        """
        if self.image_encoder is None or self.image_projection is None:
            return self._unread(image)
        hidden = self.image_encoder(image) if trunk is None else self.image_encoder.finish(trunk)
        tokens = self.image_projection(hidden) + self.modality_type["image"]
        return Tokens(tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def embed_text(self, text: TextBatch) -> Tokens:
        """Notes (B, L) to projected tokens (B, min(L, 1 + kept), width).

        Outside of training, where no dropout tells them apart, equal notes are encoded once.
        """
        if self.text_encoder is None or self.text_projection is None:
            return self._unread(text.ids)
        each = self.training or self._repeats_notes or text.trunk is not None
        distinct, row_of = (text, None) if each else _distinct(text)
        hidden = (
            self.text_encoder.finish(distinct.trunk, distinct.mask)
            if distinct.trunk is not None
            else self.text_encoder(distinct.ids, distinct.mask)
        )
        tokens = self.text_projection(hidden) + self.modality_type["text"]
        tokens = tokens if row_of is None else tokens[row_of]
        return Tokens(tokens, text.mask[:, : tokens.shape[1]] == 0)

    def embed_structured(self, structured: Tensor) -> Tokens:
        """Standardised values (B, 6) to tokens (B, 2, width)."""
        if self.structured_encoder is None:
            return self._unread(structured)
        tokens = self.structured_encoder(structured) + self.modality_type["structured"]
        return Tokens(tokens, torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def fuse(self, embedded: Mapping[str, Tokens], present: Mapping[str, Tensor] | None = None) -> Encoding:
        """Joint encoding of the modalities given, in the order of MODALITIES.

        present: modality to (B,) bool for samples that lack one; absent keys mean present in all. A sample must
        have at least one that the model reads (DataError); what it does not read has a `cls` of zeros.
        """
        names = self._read(embedded)
        here = {name: _presence(embedded[name].tokens, (present or {}).get(name)) for name in names}
        if not bool(torch.stack(list(here.values())).any(dim=0).all()):
            raise DataError(
                "a sample has no modality at all",
                fix="leave out records without image, note and structured data",
            )
        tokens = torch.cat([embedded[name].tokens for name in names], dim=1)  # (B, T, width)
        padding = torch.cat([embedded[name].padding | ~here[name].unsqueeze(1) for name in names], dim=1)
        lengths = [embedded[name].tokens.shape[1] for name in names]
        first = [0, *accumulate(lengths)][:-1]  # where each modality's CLS stands
        fused = self.fusion(tokens, padding if bool(padding.any()) else None, first)
        cls = {name: fused.new_zeros(fused[:, 0].shape) for name in embedded if name not in names}
        cls |= {name: fused[:, index] for index, name in enumerate(names)}
        here |= {
            name: torch.zeros(len(fused), dtype=torch.bool, device=fused.device)
            for name in cls
            if name not in here
        }
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

    def _read(self, embedded: Mapping[str, Tokens]) -> list[str]:
        """The modalities given that the model reads, in the order of MODALITIES."""
        names: list[str] = [name for name in MODALITIES if name in embedded and name in self.config.inputs]
        if not names:
            *others, last = self.config.inputs
            wanted = f"at least one of {', '.join(others)} and {last}" if others else last
            raise DataError("nothing to encode", fix=f"give {wanted} (model.inputs)")
        return names

    def _unread(self, given: Tensor) -> Tokens:
        """What stands for an input that the model does not read: one token, to be ignored."""
        tokens = torch.zeros(len(given), 1, self.config.fusion.width, device=given.device)
        return Tokens(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=given.device))

    def _or_missing(
        self, name: str, cls: Mapping[str, Tensor], here: Mapping[str, Tensor], batch: int
    ) -> Tensor:
        stand_in: Tensor = self.missing[name].expand(batch, -1)
        if name not in cls:
            return stand_in
        return torch.where(here[name].unsqueeze(1), cls[name], stand_in)


def _distinct(text: TextBatch) -> tuple[TextBatch, Tensor | None]:
    """The different notes of a batch (D, L), and the place (B,) of each row's among them; None where all differ."""
    together = torch.cat([text.ids, text.mask], dim=1)
    rows, place = torch.unique(together, dim=0, return_inverse=True)
    if len(rows) == len(together):
        return text, None
    ids, mask = rows.chunk(2, dim=1)
    return TextBatch(ids, mask), place


def _presence(tokens: Tensor, present: Tensor | None) -> Tensor:
    if present is None:
        return torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
    return present
