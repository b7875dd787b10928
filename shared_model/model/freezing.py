"""Freezing an encoder's first blocks: they become its trunk, which never travels and is never trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from shared_model.errors import ConfigError


def freeze_blocks(stem: Iterable[Any], blocks: Any, count: int, *, key: str) -> None:
    """Freeze the first `count` of `blocks` and, with them, everything in `stem` (modules or parameters)."""
    if count > len(blocks):
        raise ConfigError(
            f"the encoder has {len(blocks)} blocks, {count} cannot be frozen",
            where=key,
            fix=f"use a number from 0 to {len(blocks)}",
        )
    if count == 0:
        return
    for part in [*stem, *blocks[:count]]:
        if isinstance(part, nn.Parameter):
            part.requires_grad_(False)
        elif part is not None:
            for parameter in part.parameters():
                parameter.requires_grad_(False)
