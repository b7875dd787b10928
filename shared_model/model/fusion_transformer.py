"""The fusion transformer: PyTorch's pre-norm encoder, computing no more of its last layer than is read.

Only the CLS tokens leave fusion, so that the last layer needs queries and feed-forward for those alone; keys and
values still come from all tokens. Parameters, their names and their start are those of nn.TransformerEncoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shared_model.config.schema import FusionConfig
from shared_model.model.dropout import dropout


class NoFusion(nn.Module):
    """In place of the fusion transformer where there is nothing to fuse: its final normalisation alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, padding: Tensor | None, read: Sequence[int]) -> Tensor:
        """(B, T, width) to (B, len(read), width); padding needs no mask, as no token reads another."""
        normed: Tensor = self.norm(tokens[:, list(read)])
        return normed


class FusionTransformer(nn.TransformerEncoder):
    """`depth` pre-norm layers and a final normalisation. plain: run PyTorch's own layers instead, on all tokens."""

    plain = False

    def forward(  # type: ignore[override]
        self, tokens: Tensor, padding: Tensor | None, read: Sequence[int]
    ) -> Tensor:
        """Tokens (B, T, width) to what fusion makes of those at the positions `read`: (B, len(read), width).

        padding: (B, T), True where nothing may read; None where there is none.
        """
        if self.plain:
            fused: Tensor = super().forward(tokens, src_key_padding_mask=padding)
            return fused[:, list(read)]
        seen = None if padding is None else ~padding[:, None, None, :]
        *inner, last = self.layers
        for layer in inner:
            tokens = _layer(layer, tokens, seen)
        assert self.norm is not None
        normed: Tensor = self.norm(_layer(last, tokens, seen, list(read)))
        return normed


def fusion_transformer(config: FusionConfig) -> NoFusion | FusionTransformer:
    """As the configuration has it; a depth of 0 fuses nothing."""
    if config.depth == 0:
        return NoFusion(config.width)
    layer = nn.TransformerEncoderLayer(
        config.width,
        config.heads,
        config.feed_forward,
        dropout=config.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return FusionTransformer(layer, config.depth, norm=nn.LayerNorm(config.width), enable_nested_tensor=False)


def _layer(layer: nn.Module, tokens: Tensor, seen: Tensor | None, read: list[int] | None = None) -> Tensor:
    """nn.TransformerEncoderLayer, pre-norm, for the tokens at `read` (all of them where None)."""
    assert isinstance(layer, nn.TransformerEncoderLayer)
    own = tokens if read is None else tokens[:, read]
    own = own + _attend(layer, layer.norm1(tokens), seen, read)
    hidden = dropout(F.gelu(layer.linear1(layer.norm2(own))), layer.dropout.p, training=layer.training)
    return own + dropout(layer.linear2(hidden), layer.dropout2.p, training=layer.training)


def _attend(
    layer: nn.TransformerEncoderLayer, tokens: Tensor, seen: Tensor | None, read: list[int] | None
) -> Tensor:
    attention = layer.self_attn
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if read is None:
        query, key, value = F.linear(tokens, weight, bias).chunk(3, dim=2)
    else:
        width = tokens.shape[2]
        query = F.linear(tokens[:, read], weight[:width], bias[:width])
        key, value = F.linear(tokens, weight[width:], bias[width:]).chunk(2, dim=2)
    heads = [
        part.view(*part.shape[:2], attention.num_heads, -1).transpose(1, 2) for part in (query, key, value)
    ]
    found = _attention(heads[0], heads[1], heads[2], seen, attention.dropout if layer.training else 0.0)
    out: Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
    return dropout(out, layer.dropout1.p, training=layer.training)


def _attention(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, probability: float) -> Tensor:
    """Scaled dot-product attention, (B, heads, T, d). PyTorch's kernel for CPUs has no dropout and falls back to
    single operations with its slow draws; those are written out here with fast ones.
    """
    if probability == 0.0 or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, seen, dropout_p=probability)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return dropout(torch.softmax(scores, dim=-1), probability, training=True) @ value
