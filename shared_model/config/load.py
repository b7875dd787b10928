"""Loading a configuration, with errors that name the key, the value and the fix."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from shared_model.config.schema import Config
from shared_model.config.trees import merge
from shared_model.config.validation import read_toml, unknown_key, validated
from shared_model.config.variants import FULL, variant_named
from shared_model.errors import ConfigError

Tree = dict[str, Any]

_KEYS_ARE_LISTED = "config.toml of any run lists every key"
_PRIVACY_ASKED = (
    "privacy.epsilon",
    "privacy.delta",
    "privacy.mode",
    "privacy.sites",
)  # nobody sets one who wants none


def presets() -> list[str]:
    """Names of the presets that ship with the package."""
    folder = resources.files("shared_model.config") / "presets"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_config(
    preset: str | None = None,
    *,
    variant: str = FULL,
    file: Path | None = None,
    overrides: Iterable[str] = (),
    privacy_elsewhere: bool = False,
    **values: Any,
) -> Config:
    """The configuration of a run: defaults < preset < `variant` < `file` < `overrides` ("a.b=c") < `values` ("a__b"=c).

    preset: without one, that which `file` names, else `paper`. privacy_elsewhere: the caller itself switches
    differential privacy on, so that its keys may stand alone. Raises ConfigError naming key, value and fix.
    """
    written = read_toml(file) if file is not None else {}
    named = written.get("preset")
    preset = preset or (named if isinstance(named, str) else "paper")
    tree = _preset(preset)
    merge(tree, variant_named(variant).keys(preset))
    merge(tree, written)
    given = [_parse_override(item) for item in overrides]
    given += [(key.split("__"), value) for key, value in values.items() if value is not None]
    for keys, value in given:
        _set(tree, keys, value)
    if named is not None and named != preset:
        raise ConfigError(
            f"the file is of the preset {named}, and {preset} is asked for",
            where=f"{file}, preset",
            fix=f"give --preset {named}, or take the line out of the file",
        )
    if tree.get("preset", preset) != preset:
        raise ConfigError("the preset is not a key to set", where="preset", fix="use --preset NAME")
    tree["preset"] = preset
    tree["variant"] = variant if variant != FULL else tree.get("variant", FULL)
    config = _validate(tree)
    if not privacy_elsewhere:
        asked = [name for keys, value in given for name in _named(".".join(keys), value)]
        _require_privacy_switched_on(config, (_named("privacy", written.get("privacy")), asked))
    return config


def changed(config: Config, overrides: Iterable[str]) -> Config:
    """The configuration with `overrides` ("a.b=c"). Raises ConfigError as load_config."""
    tree: Tree = json.loads(config.model_dump_json())
    for item in overrides:
        _set(tree, *_parse_override(item))
    return _validate(tree)


def to_toml(config: Config) -> str:
    """The whole configuration as TOML, in the order of the schema; load_config(file=...) reads it back."""
    return tomli_w.dumps(json.loads(config.model_dump_json()))


def from_toml(path: Path) -> Config:
    """A configuration written by to_toml."""
    return _validate(read_toml(path))


def _require_privacy_switched_on(config: Config, layers: Iterable[Collection[str]]) -> None:
    """Raises ConfigError where a key asks for differential privacy, nobody says whether there is to be any, and so
    there is none. Who says `enabled = false` in the same place is believed.

    layers: the keys that a file gives, and the keys that are given beside it.
    """
    for keys in layers:
        asked = [key for key in _PRIVACY_ASKED if key in keys]
        if asked and not config.privacy.enabled and "privacy.enabled" not in keys:
            raise ConfigError(
                f"{asked[0]} asks for differential privacy, and nothing switches it on: the run would have none",
                where=asked[0],
                fix="set privacy.enabled = true (fedfundus-simulate run: --dp-epsilon), or leave the key out",
            )


def _named(key: str, value: Any) -> list[str]:
    """The keys that a value given for `key` sets: its own, or of a table those in it."""
    return [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]


def _preset(name: str) -> Tree:
    if name not in presets():
        raise ConfigError(
            f"there is no preset {name!r}", where="--preset", fix=f"use one of: {', '.join(presets())}"
        )
    text = (resources.files("shared_model.config") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _parse_override(item: str) -> tuple[list[str], Any]:
    key, separator, text = item.partition("=")
    if not separator or not key.strip():
        raise ConfigError(
            f"cannot read {item!r}",
            where="--set",
            fix="write --set section.key=value, e.g. training.batch_size=16",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string
    return key.strip().split("."), value


def _set(tree: Tree, keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        node = tree.setdefault(key, {})
        if not isinstance(node, dict):
            raise unknown_key(Config, ".".join(keys), "", _KEYS_ARE_LISTED)
        tree = node
    tree[keys[-1]] = value


def _validate(tree: Tree) -> Config:
    return validated(
        Config, tree, fix="change it with --set or in the configuration file", keys=_KEYS_ARE_LISTED
    )
