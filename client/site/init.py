"""Writes a site.toml that explains itself, with what can be told from looking at the data folder."""

from __future__ import annotations

import importlib
import json
import re
import unicodedata
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from client.adapters import adapters
from client.statistics.policy import GROUPS
from shared_model.config.load import presets
from shared_model.errors import ConfigError
from shared_model.files import naming_disk_errors, write_text

FILE = "site.toml"
_ORDER = ("brset", "mbrset", "deepeyenet", "dicom", "table")  # the most particular layouts first


def write_site(folder: Path, data: Path, name: str, adapter: str | None = None) -> tuple[Path, str]:
    """Write `folder`/site.toml for the data folder; the file and the adapter that was chosen.

    name: of the site, made fit for one. adapter: None looks at the folder. Raises ConfigError where a site.toml
    is there already or nothing in the folder is known.
    """
    file = folder / FILE
    if file.exists():
        raise ConfigError(
            "There is a site.toml already.", where=str(file), fix="Edit it, or remove it first."
        )
    chosen = adapter or recognise(data)
    if chosen not in adapters():
        raise ConfigError(
            f"There is no adapter called {chosen!r}.",
            where="--adapter",
            fix=f"Use one of {', '.join(sorted(adapters()))}.",
        )
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        (resources.files("client.site") / "template.toml").read_text("utf-8")
    )
    with naming_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    text = template.render(
        name=site_name(name),
        folder=json.dumps(_relative(data, folder)),
        adapter=chosen,
        adapters=", ".join(sorted(adapters())),
        options=_options(chosen, data),
        groups=", ".join(json.dumps(group) for group in GROUPS),
        presets=", ".join(presets()),
    )
    write_text(file, text)
    return file, chosen


def recognise(data: Path) -> str:
    """The adapter whose layout the folder has. Raises ConfigError where none fits."""
    if not data.is_dir():
        raise ConfigError(
            "The data folder does not exist.", where=str(data), fix="Give the folder with --data."
        )
    for name in (*_ORDER, *sorted(set(adapters()) - set(_ORDER))):
        recognises: Callable[[Path], bool] | None = getattr(_module(name), "recognises", None)
        if recognises is not None and recognises(data):
            return name
    raise ConfigError(
        "Nothing in the data folder is known to any adapter: no table, no DICOM file.",
        where=str(data),
        fix=f"Give the folder that holds the table, or choose with --adapter: {', '.join(sorted(adapters()))}.",
    )


def site_name(text: str) -> str:
    """Small letters, digits and hyphens of the text; `site` where none is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()  # São -> Sao
    return re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")[:63].strip("-") or "site"


def _module(name: str) -> object:
    return importlib.import_module(f"client.adapters.{name}")


def _options(adapter: str, data: Path) -> str:
    """The adapter's section of site.toml for this folder, where it has one to offer."""
    example: Callable[[Path], str] | None = getattr(_module(adapter), "example_options", None)
    return f"\n{example(data).rstrip()}\n" if example is not None else ""


def _relative(data: Path, folder: Path) -> str:
    data, folder = data.resolve(), folder.resolve()
    return str(data.relative_to(folder)) if data.is_relative_to(folder) else str(data)
