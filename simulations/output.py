"""A result folder that is whole or not there: filled under a hidden name beside its place, renamed at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared_model.errors import FedFundusError, RunError
from shared_model.files import naming_disk_errors


@contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """The folder to write into (mode 0700: reports hold photographs, quarantine lists patients).

    It becomes `out` when the block ends, and is removed when the block fails. Raises RunError, before anything
    is done, where `out` is taken or cannot be written.
    """
    check_output(out)
    out = out.resolve()
    with naming_disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists():
            out.rmdir()  # empty, but it may be a mount point: better refused now than after training
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield partial
        with naming_disk_errors(out):
            partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_output(out: Path) -> None:
    """Raises RunError where `out` already holds something, or is the folder one stands in."""
    with naming_disk_errors(out):
        if out.resolve() == Path.cwd():
            raise RunError("the output folder is the one you are in", where=str(out), fix="name a new folder")
        if (out / "metrics.json").exists():
            raise RunError(
                "the output folder holds a finished run", where=str(out), fix="choose another --out"
            )
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(
                "the output folder is not empty", where=str(out), fix="choose another --out, or empty it"
            )


WORK = "work"  # what a command that goes on where it stopped keeps below its --out


def resumable_folder(out: Path) -> Path:
    """`out`/work, where models are kept from one call to the next; `made` makes it. RunError where `out` is taken."""
    work = out / WORK
    if not work.is_dir():
        check_output(out)
    return work


def made(folder: Path) -> list[Path]:
    """Make `folder` (mode 0700) where it is not there; what had to be made for it, innermost first."""
    with naming_disk_errors(folder):
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return missing


@contextmanager
def nothing_half_read(work: Path, *folders: Path) -> Iterator[None]:
    """Make `work` and `folders` in it; where what is read into them cannot be read, what had to be made goes again:
    `folders` with all that they hold, the others as long as nothing else is kept there.
    """
    new: list[Path] = []
    try:
        for folder in (work, *folders):
            new = made(folder) + new
        yield
    except FedFundusError:
        for folder in new:
            if folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # gone, or another's by now
                folder.rmdir()
        raise
