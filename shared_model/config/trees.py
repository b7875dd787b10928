"""Parsed TOML trees laid over each other: defaults, preset, variant, file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Lay `other` over `tree`, key by key; what is no table replaces what stands there."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = copy.deepcopy(value)
