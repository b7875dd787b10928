"""From a parsed TOML tree to a frozen section, with errors that name the key, the value and the fix."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared_model.errors import ConfigError

_Section = TypeVar("_Section", bound=BaseModel)


def validated(
    schema: type[_Section], tree: Mapping[str, Any], *, prefix: str = "", fix: str, keys: str
) -> _Section:
    """The section that `tree` describes.

    prefix: where the section stands ("data.table."), put before every key that is named. fix: what to do about
    a value that does not fit; keys: where all keys are listed, for a key that does not exist. Raises
    ConfigError naming the first key at fault.
    """
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = prefix + ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise unknown_key(schema, key, prefix, keys) from None
        if first["type"] == "missing":
            raise ConfigError("a key is missing", where=key, fix=fix) from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict | BaseModel) else f", got {first['input']!r}"
        raise ConfigError(
            f"a configuration value does not fit: {message}{given}", where=key or "configuration", fix=fix
        ) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The tree of a TOML file. Raises ConfigError where it is absent, unreadable or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "the configuration file does not exist", where=str(path), fix="check the path"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration file is not TOML: {error}", where=str(path), fix="correct that line"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the configuration file cannot be read ({error.strerror})",
            where=str(path),
            fix="give a file that you may read",
        ) from None


def unknown_key(schema: type[BaseModel], key: str, prefix: str, keys: str) -> ConfigError:
    """What to say of a key that `schema` does not have."""
    close = difflib.get_close_matches(key, _known_keys(schema, prefix), n=3, cutoff=0.5)
    fix = f"did you mean {', '.join(close)}?" if close else keys
    return ConfigError("there is no such configuration key", where=key, fix=fix)


def _known_keys(section: type[BaseModel], prefix: str) -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _known_keys(field.annotation, f"{prefix}{name}.")
    return keys
