"""The two decoders behind the reconstruction losses. They stay at the site: what can rebuild a photograph or a
note from a vector may have memorised one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shared_model.config.schema import DecoderConfig
from shared_model.errors import ConfigError
from shared_model.model.normalisation import group_norm


class ImageDecoder(nn.Module):
    """`forward`: image CLS (B, width) to a photograph (B, 3, size, size), in the units of its target."""

    def __init__(self, config: DecoderConfig, width: int, size: int) -> None:
        super().__init__()
        channels = config.image_channels
        self.base = size // 2 ** len(channels)
        if self.base * 2 ** len(channels) != size:
            raise ConfigError(
                f"an image of {size} px cannot be reached from {len(channels)} doublings",
                where="model.decoders.image_channels",
                fix="use fewer channels, or an image size that is a multiple of 2**len(image_channels)",
            )
        self.channels = channels[0]
        self.seed = nn.Linear(width, channels[0] * self.base**2)
        layers: list[nn.Module] = []
        for inner, outer in zip(channels, channels[1:], strict=False):
            layers += [
                nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1),
                group_norm(outer),
                nn.GELU(),
            ]
        self.upsample = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1))

    def forward(self, cls: Tensor) -> Tensor:
        """(B, width) to (B, 3, size, size)."""
        x = self.seed(cls).view(-1, self.channels, self.base, self.base)
        image: Tensor = self.upsample(x)
        return image


class TextDecoder(nn.Module):
    """Autoregressive: text CLS (B, width) and the tokens so far (B, L) to next-token logits (B, L, vocabulary).

    The output layer is tied to the token embedding (Press & Wolf 2017).
    """

    def __init__(self, config: DecoderConfig, width: int, vocabulary: int, length: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        layer = nn.TransformerDecoderLayer(
            width, config.text_heads, config.text_feed_forward, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, config.text_layers)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.token.weight, std=width**-0.5)

    def forward(self, cls: Tensor, ids: Tensor) -> Tensor:
        """(B, width) and (B, L) to (B, L, vocabulary)."""
        length = ids.shape[1]
        x = self.token(ids) + self.position[:length]  # (B, L, width)
        causal = nn.Transformer.generate_square_subsequent_mask(length, device=ids.device)
        x = self.layers(x, cls.unsqueeze(1), tgt_mask=causal, tgt_is_causal=True)
        logits: Tensor = x @ self.token.weight.T + self.bias
        return logits
