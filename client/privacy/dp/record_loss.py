"""The grading loss of records from what the frozen encoders give of them, each parameter's use seen by taps.

It is what Objective and FusionModel compute, without the questions that they ask of a batch (is a modality absent
from all, is there any label): a pass is of the same operations whoever is in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from client.privacy.dp.taps import Taps
from shared_model.losses import Objective
from shared_model.model.image_encoder import ImageEncoder
from shared_model.records import MODALITIES, TASKS


class RecordLoss:
    """`__call__`: B records to the sum of their weighted losses. The model is the objective's own."""

    def __init__(self, objective: Objective) -> None:
        self.model = objective.model
        self.smoothing = objective.config.label_smoothing
        self._last_norm = _last_norm(objective.model.image_encoder)

    @torch.no_grad()
    def trunk(self, image: Tensor) -> Tensor:
        """Photographs (B, 3, S, S) to what `__call__` takes of them, (B, T, width)."""
        encoder = self.model.image_encoder
        return image if encoder is None else self.normed(encoder.trunk(image))

    @torch.no_grad()
    def normed(self, trunk: Tensor) -> Tensor:
        """What the frozen part gives of photographs (B, T, width) to what `__call__` takes of it: normalised as far as
        no parameter is needed for it.
        """
        norm = self._last_norm
        return trunk if norm is None else F.layer_norm(trunk, norm.normalized_shape, eps=norm.eps)

    def __call__(
        self,
        taps: Taps,
        image: Tensor,
        text: Tensor,
        text_mask: Tensor,
        structured: Tensor,
        here: Tensor,
        label: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """The fields of slots.Slots, records instead of slots; image as `trunk` gives it. Call it within `taps`."""
        tokens = self._tokens(taps, image, text, structured)
        padding = {name: torch.zeros_like(own[..., 0], dtype=torch.bool) for name, own in tokens.items()}
        if "text" in tokens:
            padding["text"] = ~text_mask
        for index, name in enumerate(MODALITIES):
            if name in tokens:
                padding[name] = padding[name] | ~here[:, [index]]
        logits = self._logits(taps, tokens, padding, here)
        losses = [
            F.cross_entropy(logits[task], label[:, i], reduction="none", label_smoothing=self.smoothing)
            for i, task in enumerate(TASKS)
        ]
        return (torch.stack(losses, dim=1) * weight).sum()

    def _tokens(self, taps: Taps, image: Tensor, text: Tensor, structured: Tensor) -> dict[str, Tensor]:
        """Of each modality that the model reads, (B, T, width), in the order of MODALITIES."""
        model, tokens = self.model, {}
        if model.image_encoder is not None and model.image_projection is not None:
            tokens["image"] = self._projected(taps, model.image_encoder, model.image_projection, image)
        if model.text_projection is not None:
            tokens["text"] = model.text_projection(text)
        if model.structured_encoder is not None:
            token = model.structured_encoder.mlp(structured)
            cls = taps.vector(model.structured_encoder.cls, *token.shape)
            tokens["structured"] = torch.stack([cls, token], dim=1)
        return {
            name: own + taps.vector(model.modality_type[name], *own.shape) for name, own in tokens.items()
        }

    def _projected(
        self, taps: Taps, encoder: ImageEncoder, projection: nn.Linear, features: Tensor
    ) -> Tensor:
        """Through what of the encoder is trained, and its projection."""
        if self._last_norm is None:
            projected: Tensor = projection(encoder.finish(features))
            return projected
        return taps.normed_linear(features, self._last_norm, projection)

    def _logits(
        self, taps: Taps, tokens: dict[str, Tensor], padding: dict[str, Tensor], here: Tensor
    ) -> dict[str, Tensor]:
        """As FusionModel.fuse and grade: task to (B, 5)."""
        model, first, length = self.model, [], 0
        for own in tokens.values():
            first.append(length)
            length += own.shape[1]
        hidden = torch.cat([padding[name] for name in tokens], dim=1)
        fused = model.fusion(torch.cat(list(tokens.values()), dim=1), hidden, first)
        cls = {name: fused[:, index] for index, name in enumerate(tokens)}
        parts = []
        for index, name in enumerate(MODALITIES):
            missing = taps.vector(model.missing[name], *fused[:, 0].shape)
            parts.append(torch.where(here[:, [index]], cls.get(name, missing), missing))
        joint = model.joint_projection(torch.cat(parts, dim=1))
        return {task: model.heads[task](joint) for task in TASKS}


def _last_norm(encoder: ImageEncoder | None) -> nn.LayerNorm | None:
    """The image encoder's last normalisation, where all of its blocks are frozen and it is all that is left."""
    if encoder is None or any(p.requires_grad for block in encoder.blocks for p in block.parameters()):
        return None
    norm = getattr(encoder.vit, "norm", None)
    return norm if isinstance(norm, nn.LayerNorm) and norm.elementwise_affine else None
