"""The grading loss of a few records from what the frozen encoders give of them, in operations that vmap understands.

It is what Objective and FusionModel compute, without the questions that they ask of a batch (is a modality absent
from all, is there any label), which nothing can be asked inside of torch.func.vmap.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared_model.losses import Objective
from shared_model.model.image_encoder import ImageEncoder
from shared_model.records import MODALITIES, TASKS


class RecordLoss(nn.Module):
    """`forward`: R records to their weighted loss. The model is the objective's own."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.model = objective.model
        self.smoothing = objective.config.label_smoothing
        # Not a second name of its parameters: functional_call would leave one of the two with another call's tensors.
        self._last_norm = (_last_norm(objective.model.image_encoder),)

    @torch.no_grad()
    def features(self, image: Tensor) -> Tensor:
        """Photographs (S, 3, H, W) or what the frozen part gives of them, as `forward` takes them: (S, T, width)."""
        encoder = self.model.image_encoder
        if encoder is None:
            return image
        found = encoder.trunk(image) if image.dim() == 4 else image
        norm = self._last_norm[0]
        return found if norm is None else F.layer_norm(found, norm.normalized_shape, eps=norm.eps)

    def forward(
        self,
        image: Tensor,
        text: Tensor,
        text_mask: Tensor,
        structured: Tensor,
        here: Tensor,
        label: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """One slot of together.Slots, without the first dimension; image as `features` gives it."""
        tokens = self._tokens(image, text, structured)
        padding = {name: torch.zeros_like(own[..., 0], dtype=torch.bool) for name, own in tokens.items()}
        if "text" in tokens:
            padding["text"] = ~text_mask
        for index, name in enumerate(MODALITIES):
            if name in tokens:
                padding[name] = padding[name] | ~here[:, [index]]
        logits = self._logits(tokens, padding, here)
        losses = [
            F.cross_entropy(logits[task], label[:, i], reduction="none", label_smoothing=self.smoothing)
            for i, task in enumerate(TASKS)
        ]
        return (torch.stack(losses, dim=1) * weight).sum()

    def _tokens(self, image: Tensor, text: Tensor, structured: Tensor) -> dict[str, Tensor]:
        """Of each modality that the model reads, (R, T, width), in the order of MODALITIES."""
        model, tokens = self.model, {}
        if model.image_encoder is not None and model.image_projection is not None:
            tokens["image"] = self._projected(model.image_encoder, model.image_projection, image)
            tokens["image"] = tokens["image"] + model.modality_type["image"]
        if model.text_projection is not None:
            tokens["text"] = model.text_projection(text) + model.modality_type["text"]
        if model.structured_encoder is not None:
            tokens["structured"] = model.structured_encoder(structured) + model.modality_type["structured"]
        return tokens

    def _projected(self, encoder: ImageEncoder, projection: nn.Linear, features: Tensor) -> Tensor:
        """Through what of the encoder is trained, and its projection.

        Where that is its last normalisation alone, its scale and shift are multiplied into the projection's weights:
        the gradient of a record then needs no product as large as its features.
        """
        norm = self._last_norm[0]
        if norm is None:
            projected: Tensor = projection(encoder.finish(features))
            return projected
        bias = F.linear(norm.bias, projection.weight, projection.bias)
        return F.linear(features, projection.weight * norm.weight, bias)

    def _logits(
        self, tokens: dict[str, Tensor], padding: dict[str, Tensor], here: Tensor
    ) -> dict[str, Tensor]:
        """As FusionModel.fuse and grade: task to (R, 5)."""
        model, first, length = self.model, [], 0
        for own in tokens.values():
            first.append(length)
            length += own.shape[1]
        hidden = torch.cat([padding[name] for name in tokens], dim=1)
        fused = model.fusion(torch.cat(list(tokens.values()), dim=1), hidden, first)
        cls = {name: fused[:, index] for index, name in enumerate(tokens)}
        parts = [
            torch.where(here[:, [index]], cls.get(name, model.missing[name]), model.missing[name])
            for index, name in enumerate(MODALITIES)
        ]
        joint = model.joint_projection(torch.cat(parts, dim=1))
        return {task: model.heads[task](joint) for task in TASKS}


def _last_norm(encoder: ImageEncoder | None) -> nn.LayerNorm | None:
    """The image encoder's last normalisation, where all of its blocks are frozen and it is all that is left."""
    if encoder is None or any(p.requires_grad for block in encoder.blocks for p in block.parameters()):
        return None
    norm = getattr(encoder.vit, "norm", None)
    return norm if isinstance(norm, nn.LayerNorm) and norm.elementwise_affine else None
