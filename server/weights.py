"""`fedfundus-coordinator weights`: pretrained encoders on a medium, for hospitals that reach no hub.

Writes a folder with a subfolder a model and a signed manifest of every file's SHA-256. Only files that cannot run code
are put in it, and of those only what loading an encoder needs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from server.kit import Kit
from server.signing import signature
from shared_model.errors import ConfigError, DataError
from shared_model.files import naming_disk_errors, write_text
from shared_model.pretrained_files import (
    CONFIG,
    FILES,
    MANIFEST,
    SIGNING_CONTEXT,
    WEIGHTS,
    File,
    SignedManifest,
    WeightsManifest,
    folder_name,
)


def sources(given: Sequence[str]) -> dict[str, Path]:
    """NAME=FOLDER, or NAME of what the hub's local cache holds -> its folder. Raises ConfigError."""
    found: dict[str, Path] = {}
    for one in given:
        name, _, folder = one.partition("=")
        if name in found:
            raise ConfigError(f"{name!r:.80} is given twice", where="MODEL", fix="give it once")
        found[name] = Path(folder) if folder else _cached(name)
    return found


def pack(models: Mapping[str, Path], out: Path, kit: Kit) -> WeightsManifest:
    """Write `out`, whole or not at all. models: a hub's name -> the folder with its files. Raises DataError."""
    if out.exists():
        raise ConfigError("the output folder exists", where=str(out), fix="name another with --out")
    taken = {name: _files(folder) for name, folder in models.items()}
    partial = out.with_name(f".{out.name}.partial")
    with naming_disk_errors(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    try:
        listed = {name: _copied(files, partial / folder_name(name)) for name, files in taken.items()}
        try:
            manifest = WeightsManifest(federation=kit.federation, models=listed)
        except ValidationError:
            raise ConfigError(
                "a model's name is not one that a hub could have", where="MODEL", fix="give ORGANISATION/NAME"
            ) from None
        text = manifest.text()
        signed = SignedManifest(
            text, signature(SIGNING_CONTEXT + text.encode(), kit.key), kit.certificate.decode()
        )
        write_text(partial / MANIFEST, json.dumps(signed.to_field()))
        with naming_disk_errors(out):
            partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _cached(name: str) -> Path:
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name, WEIGHTS)
    except ValueError:  # no name that a hub could have
        found = None
    if not isinstance(found, str):
        raise ConfigError(
            "the hub's local cache has no safetensors of this model",
            where=name,
            fix="give a folder: NAME=FOLDER",
        )
    return Path(found).parent


def _files(folder: Path) -> list[Path]:
    """What is taken of a folder. Raises DataError where it is not an encoder's."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise DataError(
                f"the folder of a model has no {name}",
                where=str(folder),
                fix="save the model with save_pretrained, as safetensors",
            )
    try:
        with safe_open(folder / WEIGHTS, framework="numpy"):
            pass
    except (SafetensorError, OSError):
        raise DataError(
            "the weights are no safetensors file",
            where=str(folder / WEIGHTS),
            fix="save the model with save_pretrained",
        ) from None
    return sorted(path for path in folder.iterdir() if path.name in FILES and path.is_file())


def _copied(files: Sequence[Path], folder: Path) -> dict[str, File]:
    listed = {}
    with naming_disk_errors(folder):
        folder.mkdir()
        for path in files:
            copy = shutil.copyfile(path, folder / path.name)
            with copy.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            listed[path.name] = File(sha256=digest, bytes=copy.stat().st_size)
    return listed
