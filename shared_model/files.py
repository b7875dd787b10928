"""Files that are whole or absent: written beside their place, flushed, then renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from shared_model.errors import ConfigError, RunError

PAGE_TITLE = (
    "· FedFundus</title>"  # the end of every page's title: by it an earlier page is told from another file
)
PAGE_HEAD = 2_000  # bytes within which it stands


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content`, or leave it as it was. Raises RunError for a full disk or a closed folder.

    durable: wait until the disk has it; otherwise a power cut may lose it, though a crash of ours may not.
    """
    with naming_disk_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """write_bytes for UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_tensor_file(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """write_bytes for a safetensors file."""
    write_bytes(path, save({name: np.asarray(array, order="C") for name, array in tensors.items()}))


def require_place(path: Path) -> None:
    """Raises RunError where a file could not be written at `path`: better known at once than after an hour."""
    with naming_disk_errors(path):
        tempfile.TemporaryFile(dir=path.parent).close()


def require_page(path: Path) -> None:
    """require_place for a page that --report names, which replaces an earlier page and never another file.

    Raises ConfigError for a folder, and for a file that is no page of ours: a slip must not cost a hospital its table.
    """
    if path.is_dir():
        raise ConfigError("--report names a folder", where=str(path), fix="name a file, such as report.html")
    if not path.parent.is_dir():
        raise ConfigError(
            "the folder of --report does not exist", where=str(path), fix="make it, or name another"
        )
    require_place(path)
    if path.exists() and not _is_page(path):
        raise ConfigError(
            "there is another file under the name that --report gives",
            where=str(path),
            fix="give another name: only an earlier page is replaced",
        )


def _is_page(path: Path) -> bool:
    """Whether the file at `path` is one of our pages, whose titles all end alike."""
    try:
        with path.open("rb") as file:
            start = file.read(PAGE_HEAD)
    except OSError:
        return False
    return start.startswith(b"<!doctype html>") and PAGE_TITLE.encode() in start


@contextmanager
def naming_disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into one RunError a person can act on."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.ENOSPC, errno.EDQUOT):
            what, fix = "the disk is full", "free some space and run again, or choose another folder"
        elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
            what, fix = "the folder cannot be written", "choose a folder that you may write to"
        else:  # os.strerror: the error's own text may hold a path, and `what` may leave a site
            why = f": {os.strerror(number)}" if number else ""
            what, fix = f"the file could not be written{why}", "check the disk and the folder"
        raise RunError(what, where=str(path), fix=fix) from None
