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


@contextmanager
def nothing_half_read(work: Path, *folders: Path) -> Iterator[None]:
    """Make `folders` in `work`; where what is read into them cannot be read, those made here go again, and with them
    `work` and the folder it lies in, as long as nothing else is kept there.
    """
    made = [folder for folder in folders if not folder.exists()]
    for folder in folders:
        with naming_disk_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
    except FedFundusError:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty, or not ours
            work.rmdir()
            work.parent.rmdir()
        raise


def resumable_folder(out: Path) -> Path:
    """`out`/work (mode 0700), where models are kept from one call to the next. RunError where `out` is taken."""
    work = out / WORK
    if not work.is_dir():
        check_output(out)
    with naming_disk_errors(work):
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
    return work
