"""Freezing an encoder's first blocks: they become its trunk, which never travels and is never trained.

A trunk runs without gradients and in evaluation mode, dropout off, whatever mode the model is in: the same input
always gives the same features, so that they can be computed once and kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from shared_model.errors import ConfigError


def freeze_blocks(stem: Iterable[Any], blocks: Any, count: int, *, key: str) -> list[nn.Module]:
    """Freeze the first `count` of `blocks` and, with them, everything in `stem` (modules or parameters).

    Gives the modules among what was frozen; nothing is frozen where count is 0.
    """
    if count > len(blocks):
        raise ConfigError(
            f"the encoder has {len(blocks)} blocks, {count} cannot be frozen",
            where=key,
            fix=f"use a number from 0 to {len(blocks)}",
        )
    if count == 0:
        return []
    frozen = [*stem, *blocks[:count]]
    for part in frozen:
        if isinstance(part, nn.Parameter):
            part.requires_grad_(False)
        elif part is not None:
            for parameter in part.parameters():
                parameter.requires_grad_(False)
    return [part for part in frozen if isinstance(part, nn.Module)]
