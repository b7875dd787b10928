"""Image encoder: any timm vision transformer, optionally behind a convolutional stem.

A plain patch embedding needs pretraining; four strided convolutions in its place (Xiao et al. 2021, "Early
convolutions help transformers see better") let a small transformer learn lesions from a thousand photographs.
"""

from __future__ import annotations

from typing import Any, cast

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from shared_model.config.schema import ImageEncoderConfig
from shared_model.errors import ConfigError
from shared_model.model.encoder_errors import naming_encoder_errors
from shared_model.model.freezing import freeze_blocks
from shared_model.model.normalisation import group_norm

SURROUNDINGS = 8  # pixels: several times a lesion, far less than the optic disc's distance to the border
GAIN, LIMIT = 4.0, 3.0  # brings lesions to the photograph's own range, and keeps the border within it


class LocalContrast(nn.Module):
    """Photographs (B, 3, S, S) to (B, 6, S, S): themselves and their difference to their own surroundings.

    Subtracting the local mean is the usual first step on fundus photographs (Graham, Kaggle 2015): against the
    step from retina to camera border a microaneurysm is too faint to be learnt from quickly.
    """

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, 6, S, S)."""
        around = F.avg_pool2d(image, SURROUNDINGS)
        around = F.interpolate(around, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([image, (GAIN * (image - around)).clamp(-LIMIT, LIMIT)], dim=1)


class ConvolutionalStem(nn.Sequential):
    """Photographs (B, 3, S, S) to a (B, width, S/16, S/16) map in four stride-2 steps.

    Group normalisation, not batch normalisation: running statistics of one site would travel to the others and
    differ between training and evaluation.
    """

    def __init__(self, width: int) -> None:
        channels = [6, width // 4, width // 2, width, width]
        layers: list[nn.Module] = []
        for inner, outer in zip(channels, channels[1:], strict=False):
            layers += [
                nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False),
                group_norm(outer),
                nn.ReLU(),
            ]
        super().__init__(LocalContrast(), *layers, nn.Conv2d(width, width, 1))


class ImageEncoder(nn.Module):
    """`forward`: standardised photographs (B, 3, S, S) to tokens (B, 1 + (S/16)**2, width), CLS first."""

    whole = False  # true: stock code's way, the frozen part within the rest

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.convolutional = config.stem == "convolutional"
        with naming_encoder_errors("model.image", config.name):
            self.vit = _create(config)
            self.width = int(cast(int, self.vit.embed_dim))
            if self.convolutional:
                stem = ConvolutionalStem(self.width).to(memory_format=torch.channels_last)
                cast(Any, self.vit.patch_embed).proj = stem
        vit = self.vit
        embedding = [vit.patch_embed, vit.cls_token, vit.pos_embed, getattr(vit, "norm_pre", None)]
        self._frozen = freeze_blocks(
            embedding, self.vit.blocks, config.frozen_blocks, key="model.image.frozen_blocks"
        )
        self._trunk_blocks = config.frozen_blocks if _runs_block_by_block(self.vit) else 0
        self.train()  # modules begin in training mode, the frozen part must not

    @property
    def has_trunk(self) -> bool:
        """Whether the frozen part can run apart from the rest."""
        return self._trunk_blocks > 0 and not self.whole

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer's blocks, the frozen ones first."""
        return list(cast(Any, self.vit.blocks))

    def give_up_trunk(self) -> None:
        """Run whole, and in one mode, from now on: adapters within the frozen blocks are trained."""
        self._trunk_blocks, self._frozen = 0, []

    def train(self, mode: bool = True) -> ImageEncoder:
        """As nn.Module.train, but for the frozen part."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, 1 + (S/16)**2, width)."""
        if self.has_trunk:
            return self.finish(self.trunk(image))
        if self.convolutional:  # a third faster on CPUs
            image = image.contiguous(memory_format=torch.channels_last)
        tokens: Tensor = self.vit.forward_features(image)
        return tokens

    @torch.no_grad()
    def trunk(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) to the features (B, 1 + (S/16)**2, width) that leave the last frozen block."""
        if self.convolutional:
            image = image.contiguous(memory_format=torch.channels_last)
        vit = self.vit
        tokens = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(image))))
        found: Tensor = vit.blocks[: self._trunk_blocks](tokens)
        return found

    def finish(self, features: Tensor) -> Tensor:
        """What `trunk` gave, through the blocks that are trained: tokens of the same shape."""
        tokens: Tensor = self.vit.norm(self.vit.blocks[self._trunk_blocks :](features))
        return tokens


def _runs_block_by_block(vit: Any) -> bool:
    """Whether timm's own vision transformer runs here; families that change its forward pass are run whole."""
    return getattr(type(vit), "forward_features", None) is VisionTransformer.forward_features


def _create(config: ImageEncoderConfig) -> Any:
    sizes = {"embed_dim": config.width, "depth": config.depth, "num_heads": config.heads}
    overrides = {name: value for name, value in sizes.items() if value}
    if not timm.is_model(config.name):
        raise ConfigError(
            f"timm has no model {config.name!r}",
            where="model.image.name",
            fix="use the name of a timm vision transformer, e.g. vit_base_patch16_224",
        )
    try:
        vit = timm.create_model(
            config.name, pretrained=False, num_classes=0, img_size=config.size, **overrides
        )
    except TypeError:  # a convolutional network takes no img_size
        vit = None
    needed = ("patch_embed", "blocks", "cls_token", "pos_embed", "embed_dim")
    missing = [name for name in needed if getattr(vit, name, None) is None]
    if missing or vit is None or not isinstance(vit.cls_token, torch.nn.Parameter):
        raise ConfigError(
            f"{config.name!r} is not a vision transformer with a CLS token (no {', '.join(missing)})",
            where="model.image.name",
            fix="use a timm vision transformer, e.g. vit_base_patch16_224",
        )
    return vit
