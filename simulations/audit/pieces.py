"""Parts of an audit that are kept as soon as they are finished, so that one broken off goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from operator import itemgetter
from pathlib import Path
from typing import Any

from shared_model.config import Config
from shared_model.files import naming_disk_errors, write_text
from shared_model.version import PACKAGE_VERSION

# Packages whose code decides what an attack finds: what trains, what travels, and what attacks.
DECIDING = ("client", "server", "shared_model", "simulations.audit")


@dataclass(frozen=True)
class Pieces:
    """folder: where they are kept; data: fingerprint of what is attacked."""

    folder: Path
    data: str

    def piece(self, name: str, config: Config, what: object, make: Callable[[Path], Any]) -> Any:
        """What `make` gives, made once; it may use the folder it is called with, which is removed afterwards.

        name: for people. config, what: together with the data, the version and the code of DECIDING they decide the
        result, which must be JSON.
        """
        own = self.folder / self._key(name, config, what)
        kept = own.with_suffix(".json")
        if kept.exists():
            return json.loads(kept.read_text(encoding="utf-8"))
        shutil.rmtree(own, ignore_errors=True)  # what an interruption left
        with naming_disk_errors(own):
            own.mkdir(mode=0o700, parents=True)
        found = make(own)
        write_text(kept, json.dumps(found))
        shutil.rmtree(own, ignore_errors=True)
        return json.loads(json.dumps(found))

    def _key(self, name: str, config: Config, what: object) -> str:
        decides = config.model_dump(mode="json", exclude={"runtime", "evaluation"})
        parts = [name, decides, what, self.data, PACKAGE_VERSION, sources(DECIDING)]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@cache
def sources(packages: Sequence[str]) -> str:
    """SHA-256 of every Python file and preset in these packages and those below, by name and content."""
    digest = hashlib.sha256()
    for package in packages:
        for name, file in sorted(_below(files(package), package), key=itemgetter(0)):
            digest.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _below(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{name}/{entry.name}")
        elif entry.name.endswith((".py", ".toml")):
            yield f"{name}/{entry.name}", entry
