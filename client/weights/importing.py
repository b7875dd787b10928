"""`fedfundus-site weights import`: pretrained encoders from a medium into the site's offline cache, each whole.

Every file is held against the manifest that the federation's coordinator signed, while it is copied, so that what was
checked is what lies in the cache. Nothing that could run code is taken: pickles are refused by name, and so is every
file that the manifest does not name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.approval.trusted import Trusted
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_text
from shared_model.pretrained_files import (
    CONFIG,
    LARGEST_MANIFEST,
    MANIFEST,
    PICKLES,
    SIGNING_CONTEXT,
    File,
    SignedManifest,
    WeightsManifest,
    folder_name,
    read_manifest,
)

_PIECE, _PARTIAL = 1 << 20, ".import."
_COPY_AGAIN = "copy the folder from the coordinator's medium again, whole"


@dataclass(frozen=True)
class Imported:
    """One model. known: it was there already, as it is now."""

    repository: str
    folder: Path
    bytes: int
    known: bool


def import_weights(
    folder: Path, cache: Path, trusted: Trusted, copying: Callable[[str, int, int], None] = lambda *_: None
) -> list[Imported]:
    """Take every model of `folder` into `cache` (the hub's layout). copying: file, bytes copied, bytes in all.

    Raises DataError, before anything of that model is kept, for what is missing, altered, not named or a pickle.
    """
    manifest = _manifest(folder, trusted)
    for repository, files in manifest.models.items():
        _require_only(folder / folder_name(repository), files)
    return [_import(folder, cache, name, files, copying) for name, files in sorted(manifest.models.items())]


def _manifest(folder: Path, trusted: Trusted) -> WeightsManifest:
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            raise ValueError
        signed = SignedManifest.of(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        raise DataError(
            f"there is no {MANIFEST} in the folder, so nothing says which weights are the federation's",
            where=str(folder),
            fix="give the folder that fedfundus-coordinator weights wrote; ask the coordinator for it",
        ) from None
    except (ValueError, RecursionError):
        raise DataError("the manifest of weights is damaged", where=str(path), fix=_COPY_AGAIN) from None
    content = SIGNING_CONTEXT + signed.text.encode()
    trusted.require_coordinators(
        content, signed.signature, signed.certificate, datetime.now(UTC), "the manifest of weights"
    )
    manifest = read_manifest(signed.text)
    if manifest.federation != trusted.federation:
        raise DataError("the manifest of weights is of another federation", where=str(path), fix=_COPY_AGAIN)
    return manifest


def _require_only(folder: Path, files: Mapping[str, File]) -> None:
    """Raise DataError unless the folder holds exactly the files that the manifest names."""
    if not folder.is_dir():
        raise DataError("the folder of a model is missing", where=str(folder), fix=_COPY_AGAIN)
    there = {path.name: path for path in folder.iterdir()}
    for name, path in sorted(there.items()):
        if path.suffix.lower() in PICKLES:
            raise DataError(
                "a file of a kind that can run code when it is read (pickle) is not taken",
                where=str(path),
                fix="have the weights saved as safetensors; take the file away",
            )
        if name not in files or path.is_symlink() or not path.is_file():
            raise DataError(
                "the folder holds something that the manifest of weights does not name",
                where=str(path),
                fix=f"take it away, or {_COPY_AGAIN}",
            )
    for name in sorted(files.keys() - there.keys()):
        what = (
            "the model's configuration is missing" if name == CONFIG else "a file of the weights is missing"
        )
        raise DataError(what, where=str(folder / name), fix=_COPY_AGAIN)


def _import(
    source: Path,
    cache: Path,
    repository: str,
    files: Mapping[str, File],
    copying: Callable[[str, int, int], None],
) -> Imported:
    """Copied beside its place, renamed when every file is on the disk, and named as the newest last."""
    place = cache / f"models--{folder_name(repository)}"
    revision = _revision(files)
    target, size = place / "snapshots" / revision, sum(file.bytes for file in files.values())
    known = target.is_dir() and all(_sha256(target / name) == file.sha256 for name, file in files.items())
    if not known:
        with naming_disk_errors(place):
            for made in (cache, place, place / "refs", target.parent):
                made.mkdir(mode=0o700, exist_ok=True)
            for left in place.glob(f"{_PARTIAL}*"):  # by an import that was killed
                shutil.rmtree(left, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(dir=place, prefix=_PARTIAL))
        try:
            for name, file in sorted(files.items()):
                _copy(source / folder_name(repository) / name, partial / name, file, copying)
            with naming_disk_errors(target):
                shutil.rmtree(target, ignore_errors=True)  # damaged, or it would be known
                partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    write_text(place / "refs" / "main", revision)
    for older in target.parent.iterdir():
        if older != target:
            shutil.rmtree(older, ignore_errors=True)
    return Imported(repository, target, size, known)


def _copy(source: Path, target: Path, file: File, copying: Callable[[str, int, int], None]) -> None:
    digest, done = hashlib.sha256(), 0
    try:
        stream = source.open("rb")
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise DataError(f"a file cannot be read: {why}", where=str(source), fix=_COPY_AGAIN) from None
    with stream, naming_disk_errors(target), target.open("xb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        while piece := stream.read(
            min(_PIECE, file.bytes + 1 - done)
        ):  # one more tells a file that is too long
            digest.update(piece)
            done += len(piece)
            if done > file.bytes:
                break
            copy.write(piece)
            copying(source.name, done, file.bytes)
        copy.flush()
        os.fsync(copy.fileno())
    if done > file.bytes:
        raise DataError(
            "a file is longer than the one that the federation uses",
            where=f"{source}: more than {file.bytes} bytes",
            fix=_COPY_AGAIN,
        )
    if digest.hexdigest() != file.sha256:
        raise DataError(
            "a file is not the one that the federation uses (its SHA-256 is another)",
            where=f"{source}: {digest.hexdigest()}, the manifest says {file.sha256}",
            fix=_COPY_AGAIN,
        )


def _revision(files: Mapping[str, File]) -> str:
    """A name for exactly these files, in the shape of a hub's revision."""
    lines = "".join(f"{name} {file.sha256}\n" for name, file in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:40]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
