"""The models that the paper compares, each a few keys over any preset: a variant is configuration, never a code fork.

A variant's TOML file has a `title`, `[config]` with the keys that hold over every preset, and `[preset.NAME]` with
those that hold over one of them (the small shapes of `tiny`).
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from shared_model.config.trees import merge
from shared_model.errors import ConfigError

FULL = "full"


@dataclass(frozen=True)
class Variant:
    """One named model. title: for people; config, presets: its keys."""

    name: str
    title: str
    config: Mapping[str, Any]
    presets: Mapping[str, Mapping[str, Any]]

    def keys(self, preset: str) -> dict[str, Any]:
        """Its keys over `preset`, as a tree of its own."""
        tree: dict[str, Any] = copy.deepcopy(dict(self.config))
        merge(tree, self.presets.get(preset, {}))
        return tree


def variants() -> list[str]:
    """Names of all variants."""
    entries = resources.files(__name__).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def variant_named(name: str) -> Variant:
    """The variant of this name. Raises ConfigError, listing all, where there is none."""
    if name not in variants():
        raise ConfigError(
            f"there is no variant {name!r}", where="--variant", fix=f"use one of: {', '.join(variants())}"
        )
    tree = tomllib.loads((resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))
    return Variant(name, tree["title"], tree.get("config", {}), tree.get("preset", {}))
